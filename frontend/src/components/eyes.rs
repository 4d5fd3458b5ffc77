//! Two eyes: the host's `ps` and the container's `ps`, the same process joined by a thread.
//!
//! The tables are mirror images, so that the two PIDs of a process face each other. As a tree they
//! are tree grids, whose rows take the keys.

use std::rc::Rc;

use vitrine_shared::message::{Container, Sample};
use vitrine_shared::namespace::Namespace;
use web_sys::Element;
use yew::prelude::*;

use super::in_sight::{Sight, use_in_sight};
use super::parts::letter;
use super::threads::use_threads;
use crate::eyes::{Branch, Row, as_tree, container, host};
use crate::format;
use crate::kinds::{is_machine_shell, is_running, panes_of};
use crate::roving;
use crate::text::{kernel, other_processes};
use crate::ui::{Ui, use_ui};

/// From this level on nothing is indented further.
const DEEPEST: usize = 8;

/// What the eyes look at.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) sample: Option<Rc<Sample>>,
    pub(crate) container: Container,
    /// As a tree, or as a list.
    pub(crate) tree: bool,
}

/// Two eyes.
#[component]
pub(crate) fn Eyes(props: &Props) -> Html {
    let ui = use_ui();
    let t = ui.lab();
    let region = use_node_ref();
    let threads = use_node_ref();
    let tree = props.tree;
    let (host_rows, container_rows, others) = match &props.sample {
        Some(sample) => (
            shaped(host(sample, &props.container), tree),
            shaped(container(sample, &props.container), tree),
            sample.other_processes,
        ),
        None => Default::default(),
    };
    let joined = container_rows.iter().map(|row| row.host_pid).collect();
    let sight = use_in_sight(&region, "[data-host-pid]", host_rows.len());
    let drawn = |rows: &[Row<'_>]| -> Vec<u32> {
        rows[sight.of(rows.len())].iter().map(|row| row.host_pid).collect()
    };
    use_threads(&region, &threads, joined, (drawn(&host_rows), drawn(&container_rows), tree));
    {
        let region = region.clone();
        let seen: Vec<u32> = host_rows.iter().map(|row| row.host_pid).collect();
        use_effect_with((tree, seen), move |&(tree, _)| {
            if let Some(region) = region.cast::<Element>().filter(|_| tree) {
                keep_stops(&region);
            }
        });
    }
    let ended = !is_running(&props.container);
    let own_pids = panes_of(&props.container).has(Namespace::Pid);
    let of_machine = is_machine_shell(&props.container);
    let machines = props.container.proc_depth < 2 && !ended && !of_machine;
    let caption = if of_machine { t.eye_machine } else { t.eye_container };
    let ended_word = if of_machine { t.shell_ended } else { t.container_ended };
    html! {
        // A region that scrolls must be reachable by keyboard.
        <div class="eyes-scroll" tabindex="0" role="group" aria-label={t.eyes_question}>
            <div class="eyes" ref={region}>
                <div class="eye eye-host" data-test="eye-host">
                    {table(&ui, t.eye_host, (&host_rows, sight), (tree, true))}
                    <p class="muted others">{other_processes(ui.lang, others)}</p>
                </div>
                <div class={classes!("eye", "eye-container", (!own_pids).then_some("is-open"))}
                    data-test="eye-container">
                    {corner(&ui, &props.container)}
                    {table(&ui, caption, (&container_rows, sight), (tree, false))}
                    <p class="muted" hidden={!machines}>{t.machine_proc}</p>
                    <p class="muted" hidden={!container_rows.is_empty()}>
                        {if ended { ended_word } else { t.no_rows }}
                    </p>
                </div>
                <svg class="threads" ref={threads} aria-hidden="true"></svg>
            </div>
        </div>
    }
}

/// As a tree, or as the list that they are.
fn shaped(rows: Vec<Row<'_>>, tree: bool) -> Vec<Row<'_>> {
    if tree { as_tree(rows) } else { rows }
}

/// The letters of the panes of glass around it.
fn corner(ui: &Ui, container: &Container) -> Html {
    let panes = panes_of(container);
    let new = || Namespace::ALL.into_iter().filter(move |namespace| panes.has(*namespace));
    let names: Vec<_> = new().map(|namespace| kernel::namespace_name(ui.lang, namespace)).collect();
    let whose = if is_machine_shell(container) { ui.lab().machine_panes } else { ui.lab().panes };
    let label = format!("{whose}: {}", names.join(ui.lang.pick(", ", "、")));
    html! {
        <span class="letters" role="img" aria-label={label.clone()} title={label}>
            {for new().map(letter)}
        </span>
    }
}

fn table(
    ui: &Ui,
    caption: &'static str,
    (rows, sight): (&[Row<'_>], Sight),
    (tree, mirrored): (bool, bool),
) -> Html {
    let t = ui.lab();
    let drawn = sight.of(rows.len());
    let heads = [
        ("pid", html! { {t.pid} }),
        ("nspid", html! { <abbr title={t.nspid_title}>{t.nspid}</abbr> }),
        ("uid", html! { {t.user} }),
        ("cpu", html! { {t.cpu} }),
        ("command", html! { {t.command} }),
    ];
    let head = |(class, word): &(&'static str, Html)| {
        html! {
            <th key={*class} scope="col" class={*class}>{word.clone()}</th>
        }
    };
    let class = classes!("ps", mirrored.then_some("is-mirrored"), tree.then_some("is-tree"));
    html! {
        <table {class} role={tree.then_some("treegrid")} aria-readonly={tree.then_some("true")}
            aria-rowcount={(rows.len() + 1).to_string()}
            onkeydown={tree.then(|| Callback::from(|event: KeyboardEvent| step(&event)))}>
            <caption>{caption}</caption>
            <thead><tr>
                {for turned(heads.iter().map(head).collect(), mirrored)}
            </tr></thead>
            <tbody>
                {sight.space("above", drawn.start, heads.len())}
                {for drawn.clone().map(|at| line(&rows[at], at, mirrored))}
                {sight.space("below", rows.len() - drawn.end, heads.len())}
            </tbody>
        </table>
    }
}

fn line(row: &Row<'_>, at: usize, mirrored: bool) -> Html {
    let busy = row.cpu_permille >= 10;
    let pids: Vec<String> = row.pids.iter().map(u32::to_string).collect();
    let pids = pids.join(" ");
    // style.css shows them under the first cell where they have no column.
    let (of_pid, of_command) = if mirrored { (None, Some(pids)) } else { (Some(pids), None) };
    let level = row.branch.map(|branch| branch.level).unwrap_or_default();
    let deep = (level > 1).then(|| format!("deep-{}", level.min(DEEPEST)));
    let branch =
        (level > 1).then(|| html! { <span class="branch" aria-hidden="true">{"└ "}</span> });
    let of = |number: fn(Branch) -> usize| row.branch.map(|branch| number(branch).to_string());
    let cells = vec![
        html! { <td key="pid" class="pid" data-pids={of_pid}>{row.pid}</td> },
        html! { <td key="nspid" class="nspid">{nspid(row)}</td> },
        html! { <td key="uid" class="uid">{row.uid}</td> },
        html! { <td key="cpu" class={classes!("cpu", busy.then_some("is-busy"))}>{format::percent(row.cpu_permille)}</td> },
        html! {
            <td key="command" class="command" title={row.command.to_string()} data-pids={of_command}>
                <span class={classes!("line", deep)}>{branch}{&*row.command}</span>
            </td>
        },
    ];
    html! {
        <tr key={row.host_pid} data-host-pid={row.host_pid.to_string()} aria-rowindex={(at + 2).to_string()}
            tabindex={row.branch.map(|_| "-1")} aria-level={of(|branch| branch.level)}
            aria-posinset={of(|branch| branch.place)} aria-setsize={of(|branch| branch.of)}
            class={classes!(row.ours.then_some("is-ours"), (row.state == 'Z').then_some("is-dead"))}>
            {for turned(cells, mirrored)}
        </tr>
    }
}

/// All its PIDs, the one that this eye sees in bold.
fn nspid(row: &Row<'_>) -> Html {
    let mut marked = false;
    html! {
        <span>{for row.pids.iter().enumerate().map(|(depth, pid)| {
            let this = !marked && *pid == row.pid;
            marked |= this;
            let gap = if depth > 0 { " " } else { "" };
            html! { <span key={depth}>{gap}{if this { html! { <b>{pid}</b> } } else { html! { {pid} } }}</span> }
        })}</span>
    }
}

fn turned(mut cells: Vec<Html>, mirrored: bool) -> Vec<Html> {
    if mirrored {
        cells.reverse();
    }
    cells
}

/// The tabulator stops at one row of each tree.
fn keep_stops(region: &Element) {
    for eye in [".eye-host", ".eye-container"] {
        if let Ok(Some(eye)) = region.query_selector(eye) {
            roving::keep_a_stop(&eye, "[data-host-pid]");
        }
    }
}

/// Moves the focus among the rows, as the APG's tree grid does. Nothing can be closed here: the
/// left arrow goes to the parent, the right one to the first child.
fn step(event: &KeyboardEvent) {
    let target = event.target_dyn_into::<Element>();
    let here = target.and_then(|part| part.closest("[data-host-pid]").ok().flatten());
    let Some((here, body)) = here.and_then(|row| Some((row.clone(), row.parent_element()?))) else {
        return;
    };
    let level = |row: &Element| row.get_attribute("aria-level").and_then(|l| l.parse::<u32>().ok());
    // The space of rows that are not drawn is none.
    let is_row = |row: &Element| row.has_attribute("data-host-pid");
    let (before, after) = (Element::previous_element_sibling, Element::next_element_sibling);
    let next = match event.key().as_str() {
        "ArrowDown" => after(&here),
        "ArrowUp" => before(&here),
        "ArrowRight" => after(&here).filter(|row| level(row) > level(&here)),
        "ArrowLeft" => {
            std::iter::successors(before(&here), before).find(|row| level(row) < level(&here))
        }
        "Home" => body.query_selector("[data-host-pid]").ok().flatten(),
        "End" => std::iter::successors(body.last_element_child(), before).find(is_row),
        _ => return,
    };
    event.prevent_default();
    if let Some(next) = next.filter(is_row) {
        roving::stop_at(&next);
        roving::focus(next);
    }
}
