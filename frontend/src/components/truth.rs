//! The truth lens: what real commands say in a container, which of their numbers are the host's and
//! where each comes from, what the container really has, and a switch that mends it.

mod facts;
mod outputs;
mod switch;

use std::rc::Rc;

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::id::MachineId;
use vitrine_shared::message::Container;
use vitrine_shared::namespace::Namespace;
use vitrine_shared::truth::{Probe, ProcView, Source};
use yew::prelude::*;

use super::asking::use_asking;
use super::feed::minutes_east;
use crate::format;
use crate::kinds::{group_of, is_machine_shell, is_running};
use crate::lens::Scene;
use crate::place::{Place, Trouble};
use crate::readings::Readings;
use crate::text::truth as words;
use crate::truth::{Has, mended};
use crate::ui::{Ui, use_ui};

/// The lens of the container that is looked at.
pub(crate) fn truth(scene: &Scene<'_>) -> Html {
    let (ui, state) = (scene.ui, scene.state);
    let t = words::words(ui.lang);
    let Some((container, machine)) = state.container().zip(state.focus) else {
        return html! { <p key="none" class="muted">{ui.lab().waiting_for_sample}</p> };
    };
    if !state.may_change() {
        return html! { <p key="none" class="muted">{t.not_allowed}</p> };
    }
    let group = group_of(container);
    let groups = state.sample.as_ref().map(|sample| sample.groups.as_slice()).unwrap_or_default();
    let trouble = |place| state.troubles.get(&place).cloned();
    html! {
        <Truth key={container.id.to_string()} {machine} {group} container={container.clone()}
            has={Has::of(groups, group)} readings={state.readings.clone()}
            lxcfs={state.host.as_deref().is_some_and(|host| host.lxcfs)} may_ask={state.may_ask()}
            limit_trouble={trouble(Place::Quota(group))} view_trouble={trouble(Place::View(container.id))} />
    }
}

/// What the lens shows.
#[derive(Properties, PartialEq)]
struct Props {
    machine: MachineId,
    container: Container,
    group: GroupId,
    has: Has,
    readings: Rc<Readings>,
    /// Did lxcfs run when the server started?
    lxcfs: bool,
    may_ask: bool,
    limit_trouble: Option<Trouble>,
    view_trouble: Option<Trouble>,
}

impl Props {
    fn own_pids(&self) -> bool {
        // In the machine itself the processes are its own too.
        is_machine_shell(&self.container) || self.container.spec.namespaces.has(Namespace::Pid)
    }
}

/// A source whose numbers stand out.
type Lit = Option<(Probe, Source)>;

#[component]
fn Truth(props: &Props) -> Html {
    let ui = use_ui();
    let t = words::words(ui.lang);
    let asking = use_asking(props.machine, props.readings.answered);
    let lit = use_state_eq(Lit::default);
    let (id, view) = (props.container.id, props.container.spec.proc_view);
    let runs = is_running(&props.container);
    let all = asking.ask.reform(move |()| Probe::NUMBERS.map(|probe| (Some(id), probe)).to_vec());
    {
        let all = all.clone();
        // Anew for what now lies on its files, and for limits that these follow.
        let deps = (view, runs && props.may_ask, props.has.clone());
        use_effect_with(deps, move |(_, may, _)| {
            if *may {
                all.emit(());
            }
        });
    }
    let again = all.reform(|_: MouseEvent| ());
    let other = mended(&props.readings, id, view);
    let columns = Columns { other, in_force: view != ProcView::Host };
    let light = {
        let lit = lit.clone();
        Callback::from(move |next| lit.set(if *lit == next { None } else { next }))
    };
    html! {
        <section class="truth" aria-labelledby="truth-title" data-test="truth">
            <h2 id="truth-title" class="visually-hidden">{t.caption}</h2>
            <div class="truth-head">
                {facts::facts(&ui, props, columns)}
                {switch::switch(&ui, props)}
            </div>
            <div class="truth-tools">
                <button type="button" data-test="truth-again" onclick={again}
                    disabled={!runs || !props.may_ask || asking.to_come > 0}>{t.again}</button>
                <p role="status" class="muted" data-test="truth-status">
                    {status(&ui, props, asking.to_come, columns)}
                </p>
            </div>
            {outputs::outputs(&ui, props, columns, *lit, &light)}
            {outputs::table(&ui, props, columns)}
        </section>
    }
}

/// What stands beside the readings with nothing on the files.
#[derive(Clone, Copy)]
struct Columns {
    other: Option<ProcView>,
    /// Is it so now?
    in_force: bool,
}

impl Columns {
    /// The view that is in force.
    fn now(self) -> ProcView {
        self.other.filter(|_| self.in_force).unwrap_or_default()
    }
}

/// How far the reading is, or when it was.
fn status(ui: &Ui, props: &Props, to_come: usize, columns: Columns) -> String {
    let t = words::words(ui.lang);
    if !is_running(&props.container) {
        return t.ended.into();
    }
    if to_come > 0 {
        return words::to_come(ui.lang, to_come);
    }
    let times = Probe::NUMBERS
        .into_iter()
        .filter_map(|probe| props.readings.of(props.container.id, probe, columns.now()));
    match times.map(|reading| reading.output.at_msec).max() {
        Some(at) => words::read_at(ui.lang, &time(at)),
        None => t.after_none.into(),
    }
}

/// A moment as the reader's clock has it.
fn time(at_msec: u64) -> String {
    format::time_of_day(at_msec, minutes_east())
}
