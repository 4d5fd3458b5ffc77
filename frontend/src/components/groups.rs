//! The groups' tree-table: what each uses beside its limits, who is in it, and how that is changed.
//!
//! A `treegrid` with one tab stop (APG: keys move the active row, `aria-activedescendant` names it),
//! so that rows that are not in sight need not be there: hundreds of groups cost what is seen.

mod form;
mod keys;
mod panel;
mod table;
mod tools;

use std::rc::Rc;

use vitrine_shared::cgroup::{CgroupSample, GroupId};
use vitrine_shared::message::{Answer, Command, Made, Sample};
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

use crate::groups::rings::Rings;
use crate::groups::tree::{Key, Wish, lines};
use crate::groups::undo::Undo;
use crate::lens::Scene;
use crate::state::{Link, State, Told};
use crate::text::groups as words;
use crate::ui::{Desk, Ui, use_desk, use_ui};

use form::Form;
use keys::Doing;
use tools::tools;

/// Rows above and below what is in sight.
const MARGIN: usize = 6;

/// The groups of the machine that is looked at.
pub(crate) fn groups(scene: &Scene<'_>) -> Html {
    let chosen = scene.group.map_or(GroupId::Root, |group| group.group);
    let Some(sample) = scene.state.sample.clone() else {
        let t = words::words(scene.ui.lang);
        return html! { <p key="waiting" class="muted groups-wait">{t.waiting}</p> };
    };
    html! { <Groups key="groups" state={scene.state.clone()} {sample} {chosen} /> }
}

#[derive(Properties, PartialEq)]
struct Props {
    state: Rc<State>,
    sample: Rc<Sample>,
    /// Where to begin: the group that the shelf shows.
    chosen: GroupId,
}

/// What part of the rows is in sight, in rows.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sight {
    first: usize,
    count: usize,
    /// The height of one, in pixels.
    row: i32,
}

/// What the rows are drawn with, and what can be done in them.
pub(super) struct View<'a> {
    ui: &'a Ui,
    desk: &'a Desk,
    state: &'a State,
    sample: &'a Sample,
    rings: &'a Rings,
    active: Key,
    cut: UseStateHandle<Option<u32>>,
    form: UseStateHandle<Option<Form>>,
    activate: Callback<Key>,
    turn: Callback<GroupId>,
}

impl View<'_> {
    fn group(&self, id: GroupId) -> Option<&CgroupSample> {
        self.sample.groups.iter().find(|group| group.group == id)
    }
}

/// May something be made in it or moved to it?
fn is_own(group: GroupId) -> bool {
    !matches!(group, GroupId::Cap | GroupId::Container(_))
}

#[component]
fn Groups(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = words::words(ui.lang);
    let state = &props.state;
    let wish = use_state_eq(Wish::default);
    let active = use_state_eq(|| Key::Group(props.chosen));
    let form = use_state_eq(|| None::<Form>);
    let cut = use_state_eq(|| None::<u32>);
    let file = use_state_eq(|| None::<String>);
    let sight = use_state_eq(|| Sight { first: 0, count: 20, row: 36 });
    let (rings, undo) = (use_mut_ref(Rings::default), use_mut_ref(Undo::default));
    let grid = use_node_ref();
    if let Some(told) = &state.last {
        undo.borrow_mut().hear(told);
    }
    use_files(desk.clone(), state.focus, state.link == Link::Live, active.group());
    use_close(state.last.clone(), form.clone(), active.clone(), grid.clone());
    let sample = props.sample.clone();
    rings.borrow_mut().push(&sample);
    let lines = lines(&sample.groups, &sample.processes, &wish);
    // What is not there any more gives its place to what it was in.
    let there = |key: Key| lines.iter().position(|line| line.key == key);
    let here = there(*active).or_else(|| there(Key::Group(active.group()))).unwrap_or(0);
    let now = lines.get(here).map_or(*active, |line| line.key);
    let view = View {
        ui: &ui,
        desk: &desk,
        state,
        sample: &sample,
        rings: &rings.borrow(),
        active: now,
        cut: cut.clone(),
        form: form.clone(),
        activate: {
            let active = active.clone();
            Callback::from(move |key| active.set(key))
        },
        turn: {
            let wish = wish.clone();
            Callback::from(move |group| turn(&wish, group))
        },
    };
    let go = {
        let (undo, send, machine) = (undo.clone(), desk.send.clone(), state.focus);
        let may = state.may_ask();
        Callback::from(move |way| {
            let next = undo.borrow().next(way).cloned();
            if let (Some(edit), Some(machine), true) = (next, machine, may) {
                undo.borrow_mut().asked(way);
                let value = edit.value(way).clone();
                let (group, file) = (edit.group, edit.file);
                send.emit(Command::WriteFile { machine, group, file, value });
            }
        })
    };
    let onkeydown = {
        let doing = Doing {
            lines: lines.clone(),
            here,
            active: active.clone(),
            wish: wish.clone(),
            form: form.clone(),
            cut: cut.clone(),
            go: go.clone(),
            grid: grid.clone(),
            machine: state.focus.filter(|_| state.may_ask()),
            send: desk.send.clone(),
        };
        Callback::from(move |event: KeyboardEvent| doing.key(&event))
    };
    let onscroll = {
        let (sight, grid) = (sight.clone(), grid.clone());
        Callback::from(move |_: Event| look(&sight, &grid))
    };
    {
        let (sight, grid) = (sight.clone(), grid.clone());
        use_effect_with((lines.len(), ui.projector), move |_| look(&sight, &grid));
    }
    {
        let (grid, row) = (grid.clone(), sight.row);
        use_effect_with(now, move |_| keys::bring(&grid, row, here));
    }
    let first = sight.first.saturating_sub(MARGIN).min(lines.len());
    let last = (sight.first + sight.count + MARGIN).min(lines.len());
    let space = |rows: usize| {
        let height = i64::try_from(rows).unwrap_or(0) * i64::from(sight.row);
        html! { <svg class="g-space" width="1" height={height.to_string()} aria-hidden="true" /> }
    };
    let may = state.may_ask();
    let group = view.group(now.group());
    html! {
        <section class="groups" aria-labelledby="groups-title" data-test="groups">
            <h2 id="groups-title" class="visually-hidden">{t.table}</h2>
            {tools(&view, &wish, &undo.borrow(), &go)}
            <p class="g-said" role="status" data-test="group-said">{cut.map(|pid| words::cut(ui.lang, pid))}</p>
            <div class="g-grid" role="treegrid" tabindex="0" ref={grid.clone()} aria-label={t.table} data-test="group-grid"
                aria-describedby="group-keys" aria-rowcount={(lines.len() + 1).to_string()} aria-readonly={(!may).to_string()}
                aria-activedescendant={(first..last).contains(&here).then(|| format!("g-row-{here}"))}
                {onkeydown} {onscroll}>
                {table::head(&ui)}
                <div role="presentation" key="above">{space(first)}</div>
                <div class="g-rows" role="rowgroup" key="rows">
                    {for (first..last).map(|i| table::row(&view, i, &lines[i]))}
                </div>
                <div role="presentation" key="below">{space(lines.len() - last)}</div>
            </div>
            <p class="muted" hidden={!lines.is_empty()}>{t.nothing}</p>
            <p class="muted g-more" hidden={sample.more_groups == 0} data-test="group-more">{words::more(ui.lang, sample.more_groups)}</p>
            <div class="g-panel" key="panel">{group.map(|group| panel::panel(&view, group, &file))}</div>
            <p class="muted g-keys" id="group-keys">{t.keys}</p>
        </section>
    }
}

/// Asks for the raw files of the group that is looked at, and for none when the view goes.
#[hook]
fn use_files(
    desk: Desk,
    machine: Option<vitrine_shared::id::MachineId>,
    live: bool,
    group: GroupId,
) {
    let made = Some(group).filter(|group| matches!(group, GroupId::Made(_)));
    use_effect_with((machine, live, made), move |(machine, live, made)| {
        let (machine, asked) = (machine.filter(|_| *live), made.is_some());
        let show = move |group| {
            if let Some(machine) = machine {
                desk.send.emit(Command::ShowFiles { machine, group });
            }
        };
        if asked {
            show(*made);
        }
        move || {
            if asked {
                show(None);
            }
        }
    });
}

/// Closes the form that has been answered well, and gives the keys back to the table.
#[hook]
fn use_close(
    last: Option<Rc<Told>>,
    form: UseStateHandle<Option<Form>>,
    active: UseStateHandle<Key>,
    grid: NodeRef,
) {
    let number = last.as_ref().map(|told| told.number);
    use_effect_with(number, move |_| {
        let done = last.as_ref().filter(|told| matches!(told.answer, Answer::Done { .. }));
        let answered = done
            .is_some_and(|told| (*form).as_ref().is_some_and(|form| form.asked_for(&told.command)));
        if answered {
            if let Some(Answer::Done { made: Some(Made::Group { group, .. }), .. }) =
                done.map(|told| &told.answer)
            {
                // What was made is what one goes on with.
                active.set(Key::Group(*group));
            }
            form.set(None);
            focus(&grid);
        }
    });
}

fn focus(grid: &NodeRef) {
    if let Some(grid) = grid.cast::<HtmlElement>() {
        // An element that has gone takes no focus, and needs none.
        let _ = grid.focus();
    }
}

/// Closes a group, or opens it.
fn turn(wish: &UseStateHandle<Wish>, group: GroupId) {
    let mut next = (**wish).clone();
    if !next.closed.remove(&group) {
        next.closed.insert(group);
    }
    wish.set(next);
}

/// Takes note of which rows are in sight.
fn look(sight: &UseStateHandle<Sight>, grid: &NodeRef) {
    let Some(grid) = grid.cast::<Element>() else { return };
    let row = grid.query_selector(".g-row").ok().flatten();
    let row = row.and_then(|row| row.dyn_into::<HtmlElement>().ok());
    let row = row.map_or(sight.row, |row| row.offset_height()).max(1);
    let rows = |pixels: i32| usize::try_from(pixels / row).unwrap_or(0);
    sight.set(Sight { first: rows(grid.scroll_top()), count: rows(grid.client_height()) + 1, row });
}
