//! The raw cgroup files of one group, with their values; a field where one may be written.

use std::collections::BTreeMap;

use vitrine_shared::cgroup::{CgroupSample, Dialect, GroupId, RawFile, file_rule};
use vitrine_shared::id::MachineId;
use vitrine_shared::message::Command;
use yew::prelude::*;

use super::parts::TroubleText;
use crate::place::{Place, Trouble};
use crate::text::{files_of, kernel};
use crate::ui::{Ui, use_desk, use_ui};

/// What the list shows.
pub(crate) struct Props<'a> {
    pub(crate) machine: MachineId,
    pub(crate) group: &'a CgroupSample,
    pub(crate) troubles: &'a BTreeMap<Place, Trouble>,
    /// May this page write at all?
    pub(crate) may_change: bool,
}

/// The raw files of a group.
pub(crate) fn raw_files(ui: &Ui, props: &Props<'_>) -> Html {
    let t = ui.lab();
    let path = match props.group.path.as_str() {
        "" => t.cap,
        path => path,
    };
    html! {
        <section class="raw" aria-labelledby="raw-title">
            <h2 id="raw-title">{files_of(ui.lang, path)}</h2>
            <p class="muted" hidden={!props.group.files.is_empty()}>{t.no_files}</p>
            <ul class="files">
                {for props.group.files.iter().map(|file| html! {
                    <File key={format!("{:?} {}", props.group.group, file.name)} file={file.clone()}
                        machine={props.machine} group={props.group.group}
                        dialect={props.group.dialect} may_change={props.may_change}
                        trouble={props.troubles.get(&place(props.group.group, file)).cloned()} />
                })}
            </ul>
        </section>
    }
}

fn place(group: GroupId, file: &RawFile) -> Place {
    Place::File(group, file.name.clone())
}

#[derive(Properties, PartialEq)]
struct FileProps {
    machine: MachineId,
    group: GroupId,
    dialect: Dialect,
    file: RawFile,
    may_change: bool,
    trouble: Option<Trouble>,
}

/// One file. What a person has typed stays until the file says the same or they give it up.
#[component]
fn File(props: &FileProps) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let draft = use_state_eq(|| None::<String>);
    let value = &props.file.value;
    let id = field_id(props.group, &props.file.name);
    let writable = props.file.writable && props.may_change;
    let shown = draft.as_ref().unwrap_or(value).clone();
    let differs = draft.as_ref().is_some_and(|draft| draft != value);
    let write = {
        let (machine, group, file) = (props.machine, props.group, props.file.name.clone());
        let shown = shown.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let (file, value) = (file.clone(), shown.clone());
            desk.send.emit(Command::WriteFile { machine, group, file, value });
        })
    };
    use_effect_with((value.clone(), draft.clone()), |(value, draft)| {
        if draft.as_ref() == Some(value) {
            draft.set(None);
        }
    });
    let trouble_id = format!("{id}-trouble");
    html! {
        <li class="file" data-test="raw-file" data-file={props.file.name.clone()}>
            if writable {
                <form onsubmit={write} key="form">
                    <label for={id.clone()}><code>{&props.file.name}</code></label>
                    <span class="file-field">
                        <input {id} type="text" value={shown} autocomplete="off" spellcheck="false"
                            title={allowed(&ui, props)} aria-describedby={trouble_id.clone()}
                            aria-invalid={props.trouble.is_some().to_string()}
                            oninput={typed(&draft)} onkeydown={given_up(&draft)} />
                        <button type="submit" class="plain" hidden={!differs}
                            aria-label={format!("{} {}", ui.lab().write, props.file.name)}>{ui.lab().write}</button>
                    </span>
                </form>
            } else {
                <div class="file-read" key="read">
                    <code>{&props.file.name}</code>
                    <pre class="file-value">{value}</pre>
                </div>
            }
            <TroubleText place={place(props.group, &props.file)} trouble={props.trouble.clone()}
                id={trouble_id} />
        </li>
    }
}

fn field_id(group: GroupId, file: &str) -> String {
    let group = match group {
        GroupId::Cap => "cap".into(),
        GroupId::Root => "root".into(),
        GroupId::Shell => "shell".into(),
        GroupId::Container(id) => id.to_string(),
        GroupId::Made(path) => path.to_string(),
    };
    format!("file-{group}-{}", file.replace('.', "-"))
}

fn allowed(ui: &Ui, props: &FileProps) -> Option<String> {
    let rule = file_rule(&props.file.name, props.dialect)?;
    Some(kernel::takes(ui.lang, rule.takes?, rule.unit))
}

fn typed(draft: &UseStateHandle<Option<String>>) -> Callback<InputEvent> {
    let draft = draft.clone();
    Callback::from(move |event: InputEvent| {
        draft.set(Some(crate::ui::input_text(&event)));
    })
}

fn given_up(draft: &UseStateHandle<Option<String>>) -> Callback<KeyboardEvent> {
    let draft = draft.clone();
    Callback::from(move |event: KeyboardEvent| {
        if event.key() == "Escape" {
            draft.set(None);
        }
    })
}
