//! The table itself: a grid that arrow keys move in. The cell that is pointed at, or that has the
//! focus, marks everybody who is in the same namespace.

use std::rc::Rc;

use vitrine_shared::discovery::Discovery;
use vitrine_shared::namespace::Namespace;
use wasm_bindgen::JsCast as _;
use yew::prelude::*;

use super::super::parts::letter;
use crate::matrix::{Cell, Group, Head, Mark, Matrix, Row};
use crate::roving;
use crate::text::matrix as words;
use crate::ui::{Ui, use_ui};

/// What the table shows.
#[derive(Properties, PartialEq)]
pub(super) struct Props {
    pub(super) matrix: Rc<Matrix>,
    /// Hears which namespace is pointed at, or has the focus.
    pub(super) light: Callback<Option<(Namespace, u64)>>,
    /// Hears which one is clicked, or chosen by a key.
    pub(super) turn: Callback<(Namespace, u64)>,
}

/// A place in the grid: row and column of cells.
type Place = (usize, usize);

/// The table. What is marked and which cell the tabulator stops at changes often and in many cells,
/// so that is set on the elements themselves ([`mark`], [`roving`]) and not drawn anew.
#[component]
pub(super) fn Table(props: &Props) -> Html {
    let ui = use_ui();
    let t = words::words(ui.lang);
    let matrix = &props.matrix;
    let (rows, columns) =
        (matrix.groups.iter().map(|group| group.rows.len()).sum(), matrix.columns.len());
    let light = props.light.clone();
    let over = Callback::from(move |event: MouseEvent| {
        if let Some(found) = event.target().as_ref().and_then(namespace_of) {
            light.emit(Some(found));
        }
    });
    let light = props.light.clone();
    let focus = Callback::from(move |event: FocusEvent| {
        let target = event.target();
        if let Some(cell) = target.as_ref().and_then(cell_of) {
            roving::stop_at(&cell);
        }
        if let Some(found) = target.as_ref().and_then(namespace_of) {
            light.emit(Some(found));
        }
    });
    let turn = props.turn.clone();
    let click = Callback::from(move |event: MouseEvent| {
        if let Some(found) = event.target().as_ref().and_then(namespace_of) {
            turn.emit(found);
        }
    });
    let turn = props.turn.clone();
    let press = Callback::from(move |event: KeyboardEvent| {
        let target = event.target();
        match (event.key().as_str(), target.as_ref().and_then(namespace_of)) {
            ("Enter" | " ", Some(found)) => {
                event.prevent_default();
                turn.emit(found);
            }
            _ => step(&event, rows, columns),
        }
    });
    let prefix = common_prefix(matrix);
    let mut row = 0;
    let bodies = matrix.groups.iter().map(|group| {
        let first = row;
        row += group.rows.len();
        body(&ui, group, &Look { first, prefix: &prefix, columns })
    });
    html! {
        <table class="mx" role="grid" aria-label={t.caption} aria-describedby="matrix-keys"
            onmouseover={over} onfocusin={focus} onclick={click} onkeydown={press}>
            <thead><tr>
                <th scope="col" class="mx-who">{t.process}</th>
                {for matrix.columns.iter().map(|&(kind, count)| html! {
                    <th key={kind.proc_name()} scope="col" title={words::instances(ui.lang, kind, count)}>
                        <span class="mx-kind">{letter(kind)}<code>{kind.proc_name()}</code>
                            <span class="mx-count" aria-hidden="true">{"×"}{count}</span></span>
                    </th>
                })}
            </tr></thead>
            {for bodies}
        </table>
    }
}

/// What the lines mean.
pub(super) fn legend(ui: &Ui, matrix: &Matrix) -> Html {
    let t = words::words(ui.lang);
    let prefix = common_prefix(matrix);
    html! {
        <p class="muted mx-legend" key="legend">
            <span class="mx-key mark-initial">{t.legend_initial}</span>
            <span class="mx-key mark-own">{t.legend_own}</span>
            <span class="mx-key mark-shared">{t.legend_shared}</span>
            <span hidden={prefix.is_empty()}>{words::prefix(ui.lang, &prefix)}</span>
            <span id="matrix-keys">{t.keys}</span>
        </p>
    }
}

/// Marks every cell of a namespace, and the heads of their rows; nothing else stays marked. Those of
/// the chosen one say so. Each mark is on the element that looks different, since the browser
/// computes the looks of everything below a class that changes, and there may be hundreds of rows.
pub(super) fn mark(
    region: &web_sys::Element,
    lit: Option<(Namespace, u64)>,
    chosen: Option<(Namespace, u64)>,
) {
    let cells = |(kind, id): (Namespace, u64)| {
        all(region, &format!("[data-ns=\"{}:{id}\"]", kind.proc_name()))
    };
    for marked in all(region, ".is-lit") {
        let _ = marked.class_list().remove_1("is-lit");
    }
    for cell in lit.into_iter().flat_map(cells) {
        let _ = cell.class_list().add_1("is-lit");
        let row = cell.parent_element();
        let head = row.and_then(|row| row.first_element_child()?.first_element_child());
        if let Some(head) = head {
            let _ = head.class_list().add_1("is-lit");
        }
    }
    for before in all(region, "[aria-selected]") {
        let _ = before.remove_attribute("aria-selected");
    }
    for cell in chosen.into_iter().flat_map(cells) {
        let _ = cell.set_attribute("aria-selected", "true");
    }
}

fn all(region: &web_sys::Element, selector: &str) -> Vec<web_sys::Element> {
    let Ok(found) = region.query_selector_all(selector) else { return Vec::new() };
    let nodes = (0..found.length()).filter_map(|at| found.get(at));
    nodes.filter_map(|node| node.dyn_into().ok()).collect()
}

/// How the rows of a group are drawn.
struct Look<'a> {
    /// Number of the first of them.
    first: usize,
    /// What all numbers begin with.
    prefix: &'a str,
    columns: usize,
}

fn body(ui: &Ui, group: &Group, look: &Look<'_>) -> Html {
    let title = words::group(ui.lang, &group.whose);
    html! {
        <tbody key={title.clone()}>
            <tr class="mx-group"><th scope="rowgroup" colspan={(look.columns + 1).to_string()}>{title}</th></tr>
            {for group.rows.iter().enumerate().map(|(at, row)| line(ui, row, look.first + at, look))}
        </tbody>
    }
}

fn line(ui: &Ui, row: &Row, at: usize, look: &Look<'_>) -> Html {
    let (key, head) = match &row.head {
        Head::Process { pid, inside, command, .. } => (
            pid.to_string(),
            html! {
                <span class="mx-process" title={command.clone()}>
                    <span class="mx-pids">{pid}{" → "}<b>{inside}</b></span>
                    <span class="mx-command">{command}</span>
                </span>
            },
        ),
        Head::Held(holders) => {
            let held: Vec<String> =
                holders.iter().map(|holder| words::holder(ui.lang, holder)).collect();
            let id = row.cells.iter().flatten().next().map_or(0, |cell| cell.id);
            (format!("held-{id}"), html! { <span class="mx-held">{held.join("; ")}</span> })
        }
    };
    html! {
        <tr {key} data-row={at.to_string()}>
            <th scope="row" class="mx-who">{head}</th>
            {for row.cells.iter().enumerate().map(|(column, cell)| one(ui, cell.as_ref(), (at, column), look))}
        </tr>
    }
}

fn one(ui: &Ui, cell: Option<&Cell>, place: Place, look: &Look<'_>) -> Html {
    let data_place = format!("{},{}", place.0, place.1);
    let Some(cell) = cell else {
        return html! { <td key={place.1} tabindex="-1" data-place={data_place} class="is-none"></td> };
    };
    let mark = match cell.mark {
        Mark::Initial => "mark-initial",
        Mark::Own => "mark-own",
        Mark::Shared(_) => "mark-shared",
    };
    let id = cell.id.to_string();
    let rest = id.strip_prefix(look.prefix).unwrap_or(&id).to_string();
    let dots = if rest.len() < id.len() { "…" } else { "" };
    html! {
        <td key={place.1} tabindex="-1" data-place={data_place}
            data-ns={format!("{}:{id}", cell.kind.proc_name())} title={format!("{}:[{id}]", cell.kind.proc_name())}
            class={classes!("mx-cell", format!("ns-{}", cell.kind.option()), mark)}>
            <span class="mx-glass">
                <span class="mx-name"><b>{&cell.name}</b>{" "}<small>{words::mark(ui.lang, &cell.mark)}</small></span>
                <span class="mx-id"><span aria-hidden="true">{dots}{rest}</span>
                    <span class="visually-hidden">{id}</span></span>
            </span>
        </td>
    }
}

/// What all numbers begin with; nothing where that would leave too few digits to tell them apart.
fn common_prefix(matrix: &Matrix) -> String {
    let rows = matrix.groups.iter().flat_map(|group| &group.rows);
    let mut ids = rows.flat_map(|row| row.cells.iter().flatten()).map(|cell| cell.id.to_string());
    let Some(mut prefix) = ids.next() else { return String::new() };
    for id in ids {
        let same = prefix.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
        prefix.truncate(same);
    }
    // At least four digits stay in sight.
    prefix.truncate(prefix.len().min(6));
    if prefix.len() < 3 { String::new() } else { prefix }
}

/// What there is to say of the namespace that is marked.
pub(super) fn said(
    ui: &Ui,
    matrix: &Matrix,
    discovery: &Discovery,
    lit: Option<(Namespace, u64)>,
) -> String {
    let t = words::words(ui.lang);
    let Some((kind, id)) = lit else { return t.nothing_lit.into() };
    let mut name = None;
    let mut members = Vec::new();
    for row in matrix.groups.iter().flat_map(|group| &group.rows) {
        let mut cells = row.cells.iter().flatten();
        let Some(cell) = cells.find(|cell| (cell.kind, cell.id) == (kind, id)) else { continue };
        name = Some(&cell.name);
        if let Head::Process { pid, name, .. } = &row.head {
            members.push(format!("{pid} {name}"));
        }
    }
    let Some(name) = name else { return words::not_there(ui.lang, kind, id) };
    words::said(ui.lang, (kind, id, name), &members, discovery.find(kind, id))
}

/// The cell that something in it belongs to.
fn cell_of(target: &web_sys::EventTarget) -> Option<web_sys::Element> {
    target.dyn_ref::<web_sys::Element>()?.closest("[data-place]").ok()?
}

fn namespace_of(target: &web_sys::EventTarget) -> Option<(Namespace, u64)> {
    let text = cell_of(target)?.get_attribute("data-ns")?;
    let (kind, id) = text.split_once(':')?;
    let kind = Namespace::ALL.into_iter().find(|known| known.proc_name() == kind)?;
    Some((kind, id.parse().ok()?))
}

fn place_of(target: &web_sys::EventTarget) -> Option<Place> {
    let text = cell_of(target)?.get_attribute("data-place")?;
    let (row, column) = text.split_once(',')?;
    Some((row.parse().ok()?, column.parse().ok()?))
}

/// Moves the focus as the APG's grid does.
fn step(event: &KeyboardEvent, rows: usize, columns: usize) {
    let Some((row, column)) = event.target().as_ref().and_then(place_of) else { return };
    if rows == 0 || columns == 0 {
        return;
    }
    let (last_row, last_column) = (rows - 1, columns - 1);
    let ctrl = event.ctrl_key();
    let (row, column) = match event.key().as_str() {
        "ArrowRight" => (row, (column + 1).min(last_column)),
        "ArrowLeft" => (row, column.saturating_sub(1)),
        "ArrowDown" => ((row + 1).min(last_row), column),
        "ArrowUp" => (row.saturating_sub(1), column),
        "Home" => (if ctrl { 0 } else { row }, 0),
        "End" => (if ctrl { last_row } else { row }, last_column),
        _ => return,
    };
    event.prevent_default();
    let table = event.target().as_ref().and_then(cell_of);
    let table = table.and_then(|cell| cell.closest("table").ok().flatten());
    let next = table
        .and_then(|table| table.query_selector(&format!("[data-place=\"{row},{column}\"]")).ok());
    if let Some(next) = next.flatten() {
        roving::focus(next);
    }
}
