//! Under the table: the limits on the way up from the active group, and its raw files with what the
//! kernel means by them.

use vitrine_shared::cgroup::{CgroupSample, RawFile};
use yew::prelude::*;

use super::View;
use crate::components::parts::TroubleText;
use crate::format;
use crate::groups::way_up::{Resource, Use, binding, of, way_up};
use crate::place::Place;
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
    let binds = Resource::ALL.map(|resource| binding(groups, &way, resource));
    html! {
        <>
            <table class="g-way" data-test="way-up">
                <thead><tr>
                    <th scope="col">{t.name}</th>
                    {for Resource::ALL.map(|resource| html! { <th scope="col">{words::resource(ui.lang, resource)}</th> })}
                </tr></thead>
                <tbody>
                    {for way.iter().filter_map(|&at| Some((at, groups.get(at)?))).map(|(at, level)| html! {
                        <tr key={level.path.clone()}>
                            <th scope="row">{if level.path.is_empty() { ui.lab().cap } else { &level.path }.to_string()}</th>
                            {for Resource::ALL.into_iter().zip(binds).map(|(resource, binds)| {
                                let is_it = binds == Some(at);
                                html! {
                                    <td class={is_it.then_some("is-binding")}>
                                        {said(resource, of(level, resource), t.no_limit)}
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
        Resource::Memory => format::bytes(value),
        Resource::Pids => value.to_string(),
    };
    match used.limit {
        Some(limit) => format!("{} / {}", number(used.used), number(limit)),
        None => format!("{} · {no_limit}", number(used.used)),
    }
}

/// The files, and what the chosen one means.
fn files(view: &View<'_>, group: &CgroupSample, chosen: &UseStateHandle<Option<String>>) -> Html {
    let (ui, t) = (view.ui, words::words(view.ui.lang));
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
                    {file.map(|file| told(&file.name, file, meaning(ui.lang, &file.name)))}
                </div>
            </div>
        </>
    }
}

fn told(name: &str, file: &RawFile, meaning: &'static str) -> Html {
    html! {
        <>
            <p class="g-meant">{meaning}</p>
            <p><code>{"cat "}{name.to_string()}</code></p>
            <pre tabindex="0" aria-label={name.to_string()}>{file.value.clone()}</pre>
        </>
    }
}
