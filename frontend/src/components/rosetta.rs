//! The Rosetta: every file of the chosen group beside its form in the other dialect, each as the
//! shell line that writes it. What is outlined is derived; what is solid was read.

use std::rc::Rc;

use vitrine_shared::cgroup::{BadWrite, Dialect, GroupId};
use vitrine_shared::id::MachineId;
use vitrine_shared::message::{Command, Refusal};
use vitrine_shared::rosetta::How;
use yew::prelude::*;

use super::feed::change;
use super::parts::{CopyButton, TroubleText};
use crate::lens::Scene;
use crate::place::{Place, Trouble};
use crate::rosetta::{Cell, Stone, is_quoted, sections, shell_line};
use crate::state::Told;
use crate::text::{host, kernel, refusal, rosetta as notes};
use crate::ui::{Ui, input_text, use_desk, use_ui};

/// The Rosetta of the group that is looked at.
pub(crate) fn rosetta(scene: &Scene<'_>) -> Html {
    let (ui, state) = (scene.ui, scene.state);
    let Some((group, machine)) = scene.group.zip(state.focus) else {
        return html! { <p key="none" class="muted">{ui.lab().waiting_for_sample}</p> };
    };
    let path = match group.path.as_str() {
        "" => ui.lab().cap,
        path => path,
    };
    let (real, id) = (group.dialect, group.group);
    html! {
        <section key="rosetta" class="rosetta" aria-labelledby="rosetta-title" data-test="rosetta">
            <h2 id="rosetta-title" class="visually-hidden">{notes::of_group(ui.lang, path)}</h2>
            <div class="stone-heads" aria-hidden="true">
                {head(ui, Dialect::V1, real, path)}
                {head(ui, Dialect::V2, real, path)}
            </div>
            {for sections(group).into_iter().map(|section| {
                let name = notes::section(ui.lang, section.controller);
                html! {
                    <section key={name} class="stone-section" aria-label={name}>
                        <h3>{name}</h3>
                        <ul class="stones">
                            {for section.stones.into_iter().map(|stone| {
                                let trouble = places(&stone, id).find_map(|place| {
                                    state.troubles.get(&place).map(|trouble| (place, trouble.clone()))
                                });
                                let told = state.last.as_ref().filter(|told| !stone.written(told, id).is_empty());
                                let key = key(&stone, id);
                                html! {
                                    <Row {key} {machine} group={id}
                                        told={told.cloned()} {trouble} may_change={state.may_ask()} {stone} />
                                }
                            })}
                        </ul>
                    </section>
                }
            })}
        </section>
    }
}

fn head(ui: &Ui, dialect: Dialect, real: Dialect, path: &str) -> Html {
    let is_real = dialect == real;
    html! {
        <p class={classes!("stone-head", (!is_real).then_some("is-derived"))}>
            <strong>{host::dialect(dialect)}</strong>{" "}
            <span class="muted">{notes::column(ui.lang, dialect, is_real)}{is_real.then(|| format!(" · {path}"))}</span>
        </p>
    }
}

fn key(stone: &Stone, group: GroupId) -> String {
    let place = stone.pair.v1.first().or(stone.pair.v2.first());
    format!("{group:?} {}", place.map(|place| place.label()).unwrap_or_default())
}

/// Where a refusal of this row's writes is kept.
fn places(stone: &Stone, group: GroupId) -> impl Iterator<Item = Place> {
    let quota = (stone.pair.how == How::QuotaAndPeriod).then_some(Place::Quota(group));
    let file = move |place: &vitrine_shared::rosetta::Place| Place::File(group, place.file.into());
    stone.pair.places(stone.real).iter().map(file).chain(quota)
}

#[derive(Properties, PartialEq)]
struct RowProps {
    machine: MachineId,
    group: GroupId,
    stone: Stone,
    told: Option<Rc<Told>>,
    trouble: Option<(Place, Trouble)>,
    may_change: bool,
}

/// What is typed and not written yet: where, and what.
#[derive(Clone, Debug, PartialEq)]
struct Draft {
    dialect: Dialect,
    file: &'static str,
    text: String,
}

/// One meaning in both dialects.
#[component]
fn Row(props: &RowProps) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let words = notes::words(ui.lang);
    let stone = &props.stone;
    let draft = use_state_eq(|| None::<Draft>);
    let wrong = use_state_eq(|| None::<BadWrite>);
    {
        let draft = draft.clone();
        // What was written is no draft any more, even where the kernel rounded it.
        use_effect_with(props.told.as_ref().map(|told| told.number), move |_| draft.set(None));
    }
    let typed_here = draft.as_ref().filter(|draft| draft.dialect == stone.real);
    let typed_there = draft.as_ref().filter(|draft| draft.dialect != stone.real);
    let here = typed_here.map(|draft| (draft.file, draft.text.as_str()));
    let planned = typed_there.and_then(|draft| stone.plan(draft.file, &draft.text).ok());
    let write = {
        let (stone, draft, wrong) = (stone.clone(), draft.clone(), wrong.clone());
        let (machine, group) = (props.machine, props.group);
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let Some(asked) = (*draft).clone() else { return };
            if asked.dialect == stone.real {
                let (file, value) = (asked.file.into(), asked.text);
                desk.send.emit(Command::WriteFile { machine, group, file, value });
                return;
            }
            match stone.plan(asked.file, &asked.text) {
                Ok(writes) => {
                    for command in stone.commands(machine, group, &writes) {
                        desk.send.emit(command);
                    }
                }
                Err(bad) => wrong.set(Some(bad)),
            }
        })
    };
    let typed = {
        let (draft, wrong) = (draft.clone(), wrong.clone());
        Callback::from(move |next: Option<Draft>| {
            wrong.set(None);
            draft.set(next);
        })
    };
    let side = |dialect: Dialect| {
        let cells = stone.cells(dialect, here);
        let field = Field {
            props,
            ui: &ui,
            dialect,
            draft: (*draft).as_ref(),
            typed: &typed,
            write: &write,
        };
        html! {
            <div class={classes!("stone-side", (dialect != stone.real).then_some("is-derived"))}>
                {for cells.iter().map(|cell| field.cell(cell))}
                <p class="muted" hidden={!cells.is_empty()}>{words.no_counterpart}</p>
            </div>
        }
    };
    let note = notes::note(ui.lang, stone.pair.note);
    let written =
        props.told.as_ref().map(|told| stone.written(told, props.group)).unwrap_or_default();
    let said = wrong.as_ref().map(|bad| refusal::refusal(ui.lang, &Refusal::Write(bad.clone())));
    let (place, trouble) = match &props.trouble {
        Some((place, trouble)) => (place.clone(), Some(trouble.clone())),
        None => (Place::Quota(props.group), None),
    };
    html! {
        <li class="stone" data-test="stone">
            {side(Dialect::V1)}
            {side(Dialect::V2)}
            <p class="stone-note muted" hidden={note.is_empty()}>{note}</p>
            <p class="stone-plan muted" hidden={planned.is_none()} data-test="planned">
                {words.will_write}{" "}
                {planned.map(|writes| html! { <>{for writes.iter().map(|(place, text)| html! {
                    <code key={place.file}>{shell_line(place.file, text)}</code>
                })}</> })}
            </p>
            <p class="stone-written" role="status" data-test="written">
                {(!written.is_empty()).then(|| html! { <span class="muted">{words.really_written}{" "}</span> })}
                {for written.iter().enumerate().map(|(at, (file, old, new))| html! {
                    <span key={at} class="stone-deed"><code>{file}</code>{" "}{change(&ui, old, new)}</span>
                })}
            </p>
            <p class="refused" role="alert" hidden={said.is_none()} data-test="wrong">{"✕ "}{said}</p>
            <TroubleText {place} {trouble} />
        </li>
    }
}

/// What all fields of a row share.
struct Field<'a> {
    props: &'a RowProps,
    ui: &'a Ui,
    dialect: Dialect,
    draft: Option<&'a Draft>,
    typed: &'a Callback<Option<Draft>>,
    write: &'a Callback<SubmitEvent>,
}

impl Field<'_> {
    fn cell(&self, cell: &Cell) -> Html {
        match cell.takes {
            Some(_) if self.props.may_change => self.form(cell),
            _ => self.read(cell),
        }
    }

    fn read(&self, cell: &Cell) -> Html {
        let label = cell.place.label();
        html! {
            <div key={label.clone()} class="say" data-test="say" data-file={label.clone()}>
                <code class="say-file">{label}</code>
                {cell.text.as_ref().map(|text| html! { <pre class="say-value">{text}</pre> })}
            </div>
        }
    }

    /// `echo VALUE > FILE`, with the value as a field.
    fn form(&self, cell: &Cell) -> Html {
        let (ui, file, dialect) = (self.ui, cell.place.file, self.dialect);
        let now = cell.text.clone().unwrap_or_default();
        let draft = self.draft.filter(|draft| draft.dialect == dialect && draft.file == file);
        let shown = draft.map_or_else(|| now.clone(), |draft| draft.text.clone());
        let differs = draft.is_some() && shown != now;
        let quote = if is_quoted(&shown) { "\"" } else { "" };
        let is_real = dialect == self.props.stone.real;
        let whose = notes::column(ui.lang, dialect, is_real);
        let name = format!("{file}, {}, {whose}", host::dialect(dialect));
        let allowed = cell.takes.map(|(takes, unit)| kernel::takes(ui.lang, takes, unit));
        let oninput = self.typed.reform(move |event: InputEvent| {
            Some(Draft { dialect, file, text: input_text(&event) })
        });
        let typed = self.typed.clone();
        let onkeydown = Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                typed.emit(None);
            }
        });
        html! {
            <form key={file} class="say" onsubmit={self.write.clone()} data-test="say" data-file={file}>
                <code aria-hidden="true">{"echo "}{quote}</code>
                <input type="text" value={shown.clone()} size={width(&shown)} autocomplete="off" spellcheck="false"
                    aria-label={name} title={allowed} oninput={oninput} onkeydown={onkeydown} />
                <code class="say-file" aria-hidden="true">{quote}{" > "}{file}</code>
                <button type="submit" class="plain" hidden={!differs}
                    aria-label={format!("{} {file}", ui.lab().write)}>{ui.lab().write}</button>
                <CopyButton text={shell_line(file, &shown)} />
            </form>
        }
    }
}

/// Characters that a field shows: enough for what is in it, within reason.
fn width(text: &str) -> String {
    text.chars().count().clamp(6, 24).to_string()
}
