//! The form in a row: another limit, as the line that a shell would write, or a new group.

use vitrine_shared::cgroup::{Dialect, GroupId, file_rule};
use vitrine_shared::message::Command;
use web_sys::HtmlElement;
use yew::prelude::*;

use super::View;
use crate::components::parts::TroubleText;
use crate::place::Place;
use crate::text::{groups as words, kernel};
use crate::ui::{input_text, select_value, use_ui};

/// What is open in a row, with what has been typed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    /// A file of a group is written.
    Edit {
        group: GroupId,
        /// The first of these that the group has.
        files: Vec<String>,
        /// `None` until something is typed: the field shows what the file says.
        text: Option<String>,
    },
    /// A group is made in another.
    Make { parent: GroupId, name: String },
}

impl Form {
    /// A limit of a group: that of its CPU first.
    pub(super) fn edit(group: GroupId) -> Form {
        Form::edit_one_of(group, &["cpu.cfs_quota_us", "cpu.max"])
    }

    /// One of these files.
    pub(super) fn edit_one_of(group: GroupId, files: &[&str]) -> Form {
        Form::Edit { group, files: files.iter().map(ToString::to_string).collect(), text: None }
    }

    /// A group in this one.
    pub(super) fn make(parent: GroupId) -> Form {
        Form::Make { parent, name: String::new() }
    }

    /// The group in whose row it stands.
    pub(super) fn group(&self) -> GroupId {
        match self {
            Form::Edit { group, .. } => *group,
            Form::Make { parent, .. } => *parent,
        }
    }

    /// Is this what it sends?
    pub(super) fn asked_for(&self, command: &Command) -> bool {
        match (self, command) {
            (
                Form::Edit { group, files, text },
                Command::WriteFile { group: asked, file, value, .. },
            ) => {
                // Another answer about the same group, such as that to an undo, closes nothing.
                group == asked && files.first() == Some(file) && text.as_ref() == Some(value)
            }
            (Form::Make { parent, name }, Command::MakeGroup { parent: asked, name: made, .. }) => {
                parent == asked && name == made
            }
            _ => false,
        }
    }
}

/// The open form.
pub(super) fn form(view: &View<'_>, form: &Form) -> Html {
    match form {
        Form::Edit { group, files, text } => edit(view, *group, files, text.as_deref()),
        Form::Make { parent, name } => make(view, *parent, name),
    }
}

fn close(view: &View<'_>) -> Callback<MouseEvent> {
    let form = view.form.clone();
    Callback::from(move |_| form.set(None))
}

fn escape(view: &View<'_>) -> Callback<KeyboardEvent> {
    let form = view.form.clone();
    Callback::from(move |event: KeyboardEvent| {
        if event.key() == "Escape" {
            form.set(None);
            refocus(&event);
        }
    })
}

/// Gives the keys back to the table.
fn refocus(event: &KeyboardEvent) {
    let target = event.target_dyn_into::<web_sys::Element>();
    let grid = target.and_then(|target| target.closest("[role=treegrid]").ok().flatten());
    if let Some(grid) =
        grid.and_then(|grid| wasm_bindgen::JsCast::dyn_into::<HtmlElement>(grid).ok())
    {
        // An element that has gone takes no focus, and needs none.
        let _ = grid.focus();
    }
}

fn edit(view: &View<'_>, id: GroupId, files: &[String], typed: Option<&str>) -> Html {
    let (ui, t) = (view.ui, words::words(view.ui.lang));
    let Some(group) = view.group(id) else { return Html::default() };
    let writable: Vec<_> = group.files.iter().filter(|file| file.writable).collect();
    let wanted = files.iter().find_map(|name| writable.iter().find(|file| file.name == *name));
    let Some(file) = wanted.or(writable.first()) else {
        return html! { <p class="g-form muted" role="presentation">{t.files_wait}</p> };
    };
    let name = file.name.clone();
    let text = typed.map_or_else(|| file.value.clone(), str::to_string);
    let rule = file_rule(&name, Dialect::V1).or_else(|| file_rule(&name, Dialect::V2));
    let allowed = rule.and_then(|rule| Some(kernel::takes(ui.lang, rule.takes?, rule.unit)));
    let set = move |files: Vec<String>, text: Option<String>| Form::Edit { group: id, files, text };
    let choose = {
        let form = view.form.clone();
        Callback::from(move |event: Event| form.set(Some(set(vec![select_value(&event)], None))))
    };
    let oninput = {
        let (form, name) = (view.form.clone(), name.clone());
        Callback::from(move |event: InputEvent| {
            form.set(Some(set(vec![name.clone()], Some(input_text(&event)))));
        })
    };
    let onsubmit = {
        let (send, machine) = (view.desk.send.clone(), view.state.focus);
        let (file, value, form) = (name.clone(), text.clone(), view.form.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if let Some(machine) = machine {
                let (file, value) = (file.clone(), value.clone());
                form.set(Some(set(vec![file.clone()], Some(value.clone()))));
                send.emit(Command::WriteFile { machine, group: id, file, value });
            }
        })
    };
    let place = Place::File(id, name.clone());
    let trouble = view.state.troubles.get(&place).cloned();
    html! {
        <form class="g-form" {onsubmit} onkeydown={escape(view)} data-test="group-form">
            <select aria-label={t.file} onchange={choose} data-test="group-file">
                {for writable.iter().map(|file| html! {
                    <option key={file.name.clone()} value={file.name.clone()} selected={file.name == name}>{file.name.clone()}</option>
                })}
            </select>
            <code aria-hidden="true">{"echo "}</code>
            <Field key={name.clone()} label={format!("{}: {name}", t.value)} value={text} {oninput} title={allowed.clone()} />
            <code class="g-target">{" > "}{format!("…/{}/{name}", group.path)}</code>
            <button type="submit" class="primary" data-test="group-write">{ui.lab().write}</button>
            <button type="button" class="plain" onclick={close(view)}>{t.cancel}</button>
            <p class="muted g-allowed">{allowed}</p>
            <TroubleText {place} {trouble} />
        </form>
    }
}

fn make(view: &View<'_>, parent: GroupId, name: &str) -> Html {
    let t = words::words(view.ui.lang);
    let path = view.group(parent).map(|group| group.path.clone()).unwrap_or_default();
    let oninput = {
        let form = view.form.clone();
        Callback::from(move |event: InputEvent| {
            form.set(Some(Form::Make { parent, name: input_text(&event) }));
        })
    };
    let onsubmit = {
        let (send, machine, name) = (view.desk.send.clone(), view.state.focus, name.to_string());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if let Some(machine) = machine {
                send.emit(Command::MakeGroup { machine, parent, name: name.clone() });
            }
        })
    };
    let place = Place::Group(parent);
    let trouble = view.state.troubles.get(&place).cloned();
    html! {
        <form class="g-form" {onsubmit} onkeydown={escape(view)} data-test="group-form">
            <code class="g-target" aria-hidden="true">{format!("mkdir …/{path}/")}</code>
            <Field key="name" label={t.make_name} value={name.to_string()} {oninput} title={None::<String>} />
            <button type="submit" class="primary" data-test="group-make">{t.make_here}</button>
            <button type="button" class="plain" onclick={close(view)}>{t.cancel}</button>
            <TroubleText {place} {trouble} />
        </form>
    }
}

#[derive(Properties, PartialEq)]
struct FieldProps {
    label: AttrValue,
    value: String,
    oninput: Callback<InputEvent>,
    title: Option<String>,
}

/// A field that has the keys as soon as it is there.
#[component]
fn Field(props: &FieldProps) -> Html {
    let _ui = use_ui();
    let node = use_node_ref();
    {
        let node = node.clone();
        use_effect_with((), move |()| {
            if let Some(field) = node.cast::<web_sys::HtmlInputElement>() {
                // It is in the page, or it is needed no more.
                let _ = field.focus();
                field.select();
            }
        });
    }
    html! {
        <input ref={node} type="text" size="16" value={props.value.clone()} aria-label={props.label.clone()} title={props.title.clone()}
            oninput={props.oninput.clone()} autocomplete="off" spellcheck="false" data-test="group-value" />
    }
}
