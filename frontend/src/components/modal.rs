//! A dialog over the page: the browser keeps the focus in it, and Esc leaves it.

use web_sys::HtmlDialogElement;
use yew::prelude::*;

/// What the dialog shows.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) open: bool,
    /// The id of its title, which is in `children`.
    pub(crate) title: &'static str,
    /// The name that the tests know it by.
    pub(crate) test: &'static str,
    /// Called when it was left, in whatever way.
    pub(crate) close: Callback<()>,
    pub(crate) children: Html,
}

/// A dialog. Its element stays; what is in it is there only while it is open.
#[component]
pub(crate) fn Modal(props: &Props) -> Html {
    let node = use_node_ref();
    {
        let node = node.clone();
        use_effect_with(props.open, move |open| {
            let Some(dialog) = node.cast::<HtmlDialogElement>() else { return };
            match (*open, dialog.open()) {
                // It can fail only for an element that is not in the page.
                (true, false) => drop(dialog.show_modal()),
                (false, true) => dialog.close(),
                _ => {}
            }
        });
    }
    html! {
        <dialog class="modal" ref={node} aria-labelledby={props.title} data-test={props.test}
            onclose={props.close.reform(|_: Event| ())}>
            <div class="modal-body">{props.open.then(|| props.children.clone())}</div>
        </dialog>
    }
}
