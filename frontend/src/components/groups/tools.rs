//! Over the table: how it is looked at, and what can be done with the active row by pointer.

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::message::Command;
use yew::prelude::*;

use super::form::Form;
use super::{View, is_own};
use crate::groups::tree::{Key, Sort, Wish};
use crate::groups::undo::{Undo, Way};
use crate::text::groups as words;
use crate::ui::{input_text, select_value};

/// The tools.
pub(super) fn tools(
    view: &View<'_>,
    wish: &UseStateHandle<Wish>,
    undo: &Undo,
    go: &Callback<Way>,
) -> Html {
    let (ui, t) = (view.ui, words::words(view.ui.lang));
    let filter = {
        let wish = wish.clone();
        Callback::from(move |event: InputEvent| {
            wish.set(Wish { filter: input_text(&event), ..(*wish).clone() });
        })
    };
    let order = {
        let wish = wish.clone();
        Callback::from(move |event: Event| {
            let value = select_value(&event);
            let sort = Sort::ALL.into_iter().find(|sort| format!("{sort:?}") == value);
            wish.set(Wish { sort: sort.unwrap_or_default(), ..(*wish).clone() });
        })
    };
    let processes = {
        let wish = wish.clone();
        Callback::from(move |_: Event| {
            let without_processes = !wish.without_processes;
            wish.set(Wish { without_processes, ..(*wish).clone() });
        })
    };
    html! {
        <div class="g-tools">
            <input type="text" class="g-filter" value={wish.filter.clone()} oninput={filter} aria-label={t.filter}
                placeholder={t.filter} autocomplete="off" spellcheck="false" data-test="group-filter" />
            <select aria-label={t.sort} onchange={order} data-test="group-sort">
                {for Sort::ALL.into_iter().map(|sort| html! {
                    <option value={format!("{sort:?}")} selected={sort == wish.sort}>{words::sort(ui.lang, sort)}</option>
                })}
            </select>
            <label class="field"><input type="checkbox" checked={!wish.without_processes} onchange={processes} data-test="group-processes" />{t.processes}</label>
            <span class="g-acts">{acts(view, undo, go)}</span>
        </div>
    }
}

fn acts(view: &View<'_>, undo: &Undo, go: &Callback<Way>) -> Html {
    let (lang, t) = (view.ui.lang, words::words(view.ui.lang));
    let group = view.active.group();
    let may = view.state.may_ask();
    let opens = |next: Form| {
        let form = view.form.clone();
        Callback::from(move |_: MouseEvent| form.set(Some(next.clone())))
    };
    let remove = {
        let (send, machine) = (view.desk.send.clone(), view.state.focus);
        Callback::from(move |_: MouseEvent| {
            if let Some(machine) = machine {
                send.emit(Command::RemoveGroup { machine, group });
            }
        })
    };
    let pid = match view.active {
        Key::Process(pid, group) if is_own(group) => Some(pid),
        _ => None,
    };
    let cut = {
        let cut = view.cut.clone();
        Callback::from(move |_: MouseEvent| cut.set(pid))
    };
    let paste = {
        let (cut, send, machine) = (view.cut.clone(), view.desk.send.clone(), view.state.focus);
        Callback::from(move |_: MouseEvent| {
            if let (Some(pid), Some(machine)) = (*cut, machine) {
                send.emit(Command::MoveProcess { machine, pid, group });
                cut.set(None);
            }
        })
    };
    let undoes = undo.next(Way::Back).map(|e| words::takes_back(lang, &e.file, &e.back));
    let redoes = undo.next(Way::Again).map(|e| words::does_again(lang, &e.file, &e.again));
    let go = |way| go.reform(move |_: MouseEvent| way);
    let button = |name: &'static str,
                  word: &'static str,
                  on: bool,
                  act: Callback<MouseEvent>,
                  title: Option<String>| {
        html! {
            <button type="button" class="plain" data-test={name} disabled={!(may && on)} onclick={act} {title}>{word}</button>
        }
    };
    let made = matches!(view.active, Key::Group(GroupId::Made(_)));
    html! {
        <>
            {button("group-new", t.make, is_own(group), opens(Form::make(group)), None)}
            {button("group-edit", t.edit, group != GroupId::Cap, opens(Form::edit(group)), None)}
            {button("group-remove", t.remove, made, remove, None)}
            {button("process-cut", t.cut, pid.is_some(), cut, None)}
            {button("process-paste", t.paste, view.cut.is_some() && is_own(group), paste, None)}
            {button("group-undo", t.undo, undoes.is_some(), go(Way::Back), undoes)}
            {button("group-redo", t.redo, redoes.is_some(), go(Way::Again), redoes)}
        </>
    }
}
