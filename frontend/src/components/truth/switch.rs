//! What lies on the files of the container's `/proc`, as a choice of three.

use vitrine_shared::message::Command;
use vitrine_shared::spec::SpecError;
use vitrine_shared::truth::{LXCFS_FILES, OWN_FILES, ProcView, Source};
use yew::prelude::*;

use super::super::parts::TroubleText;
use super::Props;
use crate::kinds::is_running;
use crate::place::Place;
use crate::text::truth as words;
use crate::ui::{Ui, use_desk, use_ui};

/// The choice, what it binds, and what nothing mends.
pub(super) fn switch(ui: &Ui, props: &Props) -> Html {
    let t = words::words(ui.lang);
    let now = props.container.spec.proc_view;
    let (sentence, files): (_, &[&str]) = match now {
        ProcView::Host => (t.host_words, &[]),
        ProcView::Own => (t.own_words, &OWN_FILES),
        ProcView::Lxcfs => (t.lxcfs_words, &LXCFS_FILES),
    };
    let files: Vec<String> = files.iter().map(|file| format!("/proc/{file}")).collect();
    let spec = &props.container.spec;
    let why = match (spec.check_view(ProcView::Own), spec.check_view(ProcView::Lxcfs)) {
        (Err(_), _) => Some(t.needs_proc),
        (_, Err(SpecError::LxcfsNeedsPid)) => Some(t.needs_pid),
        _ if !props.lxcfs => Some(t.no_lxcfs),
        _ => None,
    };
    html! {
        <fieldset class="truth-switch">
            <legend>{t.switch}</legend>
            <div class="truth-views">
                {for [ProcView::Host, ProcView::Own, ProcView::Lxcfs].into_iter().map(|view| {
                    let may = props.may_ask && is_running(&props.container) && spec.check_view(view).is_ok();
                    html! { <Choice key={format!("{view:?}")} {view} {now} {may} refused={props.view_trouble.is_some()} machine={props.machine} container={props.container.id} /> }
                })}
            </div>
            <p data-test="truth-files">{sentence}{" "}<code class="truth-files">{files.join(" ")}</code></p>
            <p class="muted" hidden={why.is_none()}>{why}</p>
            <TroubleText place={Place::View(props.container.id)} trouble={props.view_trouble.clone()} />
            <details class="truth-no-file">
                <summary>{t.no_file}</summary>
                <ul>{for Source::ALL.into_iter().filter_map(|source| Some((source, words::no_file(ui.lang, source)?))).map(|(source, why)| html! {
                    <li key={source.name()}><code>{source.name()}</code>{" — "}{why}</li>
                })}</ul>
            </details>
        </fieldset>
    }
}

/// One of the three.
#[derive(Properties, PartialEq)]
struct ChoiceProps {
    view: ProcView,
    now: ProcView,
    may: bool,
    /// The last choice was refused.
    refused: bool,
    machine: vitrine_shared::id::MachineId,
    container: vitrine_shared::id::ContainerId,
}

#[component]
fn Choice(props: &ChoiceProps) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let (machine, container, view) = (props.machine, props.container, props.view);
    let radio = use_node_ref();
    {
        // What is in force is chosen, whatever was clicked.
        let radio = radio.clone();
        use_effect_with((props.now, props.refused), move |(now, _)| {
            if let Some(radio) = radio.cast::<web_sys::HtmlInputElement>() {
                radio.set_checked(*now == view);
            }
        });
    }
    let onchange =
        desk.send.reform(move |_: Event| Command::SetProcView { machine, container, view });
    html! {
        <label><input ref={radio} type="radio" name="proc-view" data-test={format!("truth-{}", format!("{view:?}").to_lowercase())}
            checked={props.now == view} disabled={!props.may} {onchange} />{words::view(ui.lang, view)}</label>
    }
}
