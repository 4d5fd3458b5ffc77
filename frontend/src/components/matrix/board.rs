//! The table, and the line below it that says what is pointed at. Pointing changes that line and
//! marks of cells; nothing else is drawn anew.

use std::rc::Rc;

use vitrine_shared::discovery::Discovery;
use vitrine_shared::namespace::Namespace;
use yew::prelude::*;

use super::table::{self, Table};
use crate::matrix::Matrix;
use crate::roving;
use crate::text::matrix as words;
use crate::ui::use_ui;

/// A namespace: its type and number.
type Spot = (Namespace, u64);

/// What is on it.
#[derive(Properties, PartialEq)]
pub(super) struct Props {
    pub(super) matrix: Rc<Matrix>,
    pub(super) discovery: Rc<Discovery>,
    /// The namespace that stays marked.
    pub(super) chosen: Option<Spot>,
    /// Hears which one shall.
    pub(super) choose: Callback<Option<Spot>>,
}

/// The table and its line.
#[component]
pub(super) fn Board(props: &Props) -> Html {
    let ui = use_ui();
    let t = words::words(ui.lang);
    let pointed = use_state_eq(|| None::<Spot>);
    let region = use_node_ref();
    let chosen = props.chosen;
    let light = {
        let pointed = pointed.setter();
        use_callback((), move |found, ()| pointed.set(found))
    };
    let turn = {
        let choose = props.choose.clone();
        use_callback(chosen, move |found: Spot, chosen| {
            choose.emit(Some(found).filter(|_| *chosen != Some(found)));
        })
    };
    // One that was only pointed at stays in words until another is; the chosen one comes back.
    let leave = {
        let pointed = pointed.setter();
        Callback::from(move |_: MouseEvent| {
            if chosen.is_some() {
                pointed.set(None);
            }
        })
    };
    let let_go = {
        let (choose, pointed) = (props.choose.clone(), pointed.setter());
        Callback::from(move |_: MouseEvent| {
            pointed.set(None);
            choose.emit(None);
        })
    };
    let lit = pointed.or(chosen);
    {
        let region = region.clone();
        use_effect_with((lit, chosen, props.matrix.clone()), move |(lit, chosen, _)| {
            if let Some(region) = region.cast::<web_sys::Element>() {
                table::mark(&region, *lit, *chosen);
                roving::keep_a_stop(&region, "[data-place]");
            }
        });
    }
    html! {
        <>
            <div class="matrix-scroll" ref={region} onmouseleave={leave}>
                <Table matrix={props.matrix.clone()} {light} {turn} />
            </div>
            <div class="mx-below">
                <p class="mx-said" role="status" data-test="matrix-said">
                    {table::said(&ui, &props.matrix, &props.discovery, lit)}</p>
                <button type="button" class="plain" data-test="matrix-let-go" hidden={chosen.is_none()}
                    onclick={let_go}>{t.let_go}</button>
            </div>
        </>
    }
}
