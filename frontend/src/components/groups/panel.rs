//! Under the table: the limits on the way up from the active group, and its raw files with what the
//! kernel means by them.

use vitrine_shared::cgroup::{CgroupSample, Dialect, GroupId, RawFile};
use yew::prelude::*;

use super::View;
use super::form::Form;
use crate::components::parts::TroubleText;
use crate::format;
use crate::groups::way_up::{Resource, Use, binding, of, way_up};
use crate::place::Place;
use crate::rosetta::counterpart;
use crate::text::{groups as words, meaning::meaning};

/// What is told of the active group.
pub(super) fn panel(
    view: &View<'_>,
    group: &CgroupSample,
    chosen: &UseStateHandle<Option<String>>,
) -> Html {
    let (ui, t) = (view.ui, words::words(view.ui.lang));
    let path = if group.path.is_empty() { ui.lab().cap } else { &group.path };
    let place = Place::Group(group.group);
    let trouble = view.state.troubles.get(&place).cloned();
    html! {
        <>
            <h3 class="g-title">{words::of_group(ui.lang, path)}</h3>
            <TroubleText {place} {trouble} />
            <div class="g-parts">
                <section aria-labelledby="way-title">
                    <h4 id="way-title">{t.way_up}</h4>
                    {way(view, group)}
                </section>
                <section aria-labelledby="files-title">
                    <h4 id="files-title">{t.files}</h4>
                    {files(view, group, chosen)}
                </section>
            </div>
        </>
    }
}

/// One line a level, one column a resource; the limit that binds is marked.
fn way(view: &View<'_>, group: &CgroupSample) -> Html {
    let (ui, t) = (view.ui, words::words(view.ui.lang));
    let groups = &view.sample.groups;
    let way = way_up(groups, group.group);
    let second = |id| view.rings.permille(id);
    let resources = Resource::on(groups, &way);
    let binds: Vec<_> = resources.iter().map(|one| binding(groups, &way, *one, second)).collect();
    html! {
        <>
            <table class="g-way" data-test="way-up">
                <thead><tr>
                    <th scope="col">{t.name}</th>
                    {for resources.iter().map(|one| html! { <th scope="col">{words::resource(ui.lang, *one)}</th> })}
                </tr></thead>
                <tbody>
                    {for way.iter().filter_map(|&at| Some((at, groups.get(at)?))).map(|(at, level)| html! {
                        <tr key={level.path.clone()}>
                            <th scope="row">{if level.path.is_empty() { ui.lab().cap } else { &level.path }.to_string()}</th>
                            {for resources.iter().zip(&binds).map(|(&resource, &binds)| {
                                let is_it = binds == Some(at);
                                html! {
                                    <td class={is_it.then_some("is-binding")}>
                                        {said(resource, of(level, resource, second(level.group)), t.no_limit)}
                                        {is_it.then(|| html! { <span title={t.binds}>{" ✓"}<span class="visually-hidden">{t.binds}</span></span> })}
                                    </td>
                                }
                            })}
                        </tr>
                    })}
                </tbody>
            </table>
            <p class="muted g-note">{t.way_up_note}</p>
        </>
    }
}

fn said(resource: Resource, used: Use, no_limit: &str) -> String {
    let number = |value: u64| match resource {
        Resource::Cpu => {
            format!("{} %", format::percent(u32::try_from(value).unwrap_or(u32::MAX)))
        }
        Resource::Memory | Resource::MemoryHigh => format::bytes(value),
        Resource::Pids => value.to_string(),
    };
    match used.limit {
        Some(limit) => format!("{} / {}", number(used.used), number(limit)),
        None => format!("{} · {no_limit}", number(used.used)),
    }
}

/// The files, and what the chosen one means.
fn files(view: &View<'_>, group: &CgroupSample, chosen: &UseStateHandle<Option<String>>) -> Html {
    let t = words::words(view.ui.lang);
    let file = group.files.iter().find(|file| Some(&file.name) == chosen.as_ref());
    let file = file.or(group.files.first());
    html! {
        <>
            <p class="muted" hidden={!group.files.is_empty()}>{t.files_wait}</p>
            <div class="g-files">
                <ul>
                    {for group.files.iter().map(|one| {
                        let is_it = file.is_some_and(|file| file.name == one.name);
                        let choose = {
                            let (chosen, name) = (chosen.clone(), one.name.clone());
                            Callback::from(move |_: MouseEvent| chosen.set(Some(name.clone())))
                        };
                        html! {
                            <li key={one.name.clone()}>
                                <button type="button" class="plain g-file" aria-pressed={is_it.to_string()} onclick={choose}
                                    data-test="group-raw" data-file={one.name.clone()}>{one.name.clone()}</button>
                            </li>
                        }
                    })}
                </ul>
                <div class="g-meaning" data-test="group-meaning">
                    {file.map(|file| told(view, group, file))}
                </div>
            </div>
        </>
    }
}

/// What a file means, what it says, what the other dialect has in its place; and the way to write
/// it.
fn told(view: &View<'_>, group: &CgroupSample, file: &RawFile) -> Html {
    let (ui, t) = (view.ui, words::words(view.ui.lang));
    let name = file.name.clone();
    let may = file.writable && view.state.may_ask() && group.group != GroupId::Cap;
    let write = {
        let (form, id, name) = (view.form.clone(), group.group, name.clone());
        Callback::from(move |_: MouseEvent| form.set(Some(Form::edit_one_of(id, &[&name]))))
    };
    html! {
        <>
            <p class="g-meant">{meaning(ui.lang, &name)}</p>
            <p class="g-cat"><code>{"cat "}{name.clone()}</code>
                {may.then(|| html! { <button type="button" class="plain" onclick={write} data-test="group-write">{t.write}</button> })}</p>
            <pre tabindex="0" aria-label={name.clone()}>{file.value.clone()}</pre>
            {there(view, group, &name)}
        </>
    }
}

/// The other dialect's files, with what they would say.
fn there(view: &View<'_>, group: &CgroupSample, file: &str) -> Html {
    let t = words::words(view.ui.lang);
    let Some((dialect, cells)) = counterpart(group, file) else {
        return html! { <p class="muted" data-test="group-there">{t.nowhere}</p> };
    };
    let name = match dialect {
        Dialect::V1 => "v1",
        Dialect::V2 => "v2",
    };
    html! {
        <dl class="g-there" data-test="group-there">{for cells.into_iter().map(|cell| {
            let label = cell.place.label();
            html! {
                <div key={label.clone()}><dt>{name}{" "}<code>{label}</code></dt><dd><code>{cell.text.unwrap_or_else(|| "–".into())}</code></dd></div>
            }
        })}</dl>
    }
}
