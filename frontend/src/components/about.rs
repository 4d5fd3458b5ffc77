//! What the server is, and what it cannot do: the dialog, the note in the lab, the banner.

use std::rc::Rc;

use vitrine_shared::cgroup::Controller;
use vitrine_shared::message::{HostInfo, Missing};
use yew::prelude::*;

use super::modal::Modal;
use super::parts::shell_line;
use crate::host::lacks_controller;
use crate::prefs::{self, key};
use crate::state::{Action, Dialog, State};
use crate::text::{host as words, refusal};
use crate::ui::{Desk, Ui, use_desk, use_ui};
use crate::{format, host};

/// What they show.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) state: Rc<State>,
}

/// The dialog.
pub(crate) fn about(ui: &Ui, desk: &Desk, state: &State) -> Html {
    let t = ui.t();
    let close = desk.act.reform(|()| Action::Dialog(None));
    let leave = close.reform(|_: MouseEvent| ());
    html! {
        <Modal open={state.dialog == Some(Dialog::About)} title="about-title" test="about" {close}>
            <header class="modal-head">
                <h2 id="about-title">{t.about}</h2>
                <button type="button" class="plain" onclick={leave}>{t.close}</button>
            </header>
            {match state.host.as_deref() {
                None => html! { <p key="none">{t.about_nothing}</p> },
                Some(host) => html! { <div key="host">{facts(ui, host)}{cannot(ui, &host.missing)}</div> },
            }}
        </Modal>
    }
}

fn facts(ui: &Ui, host: &HostInfo) -> Html {
    let t = ui.t();
    let fact = |name: &'static str, value: Html| {
        html! { <div key={name}><dt>{name}</dt><dd>{value}</dd></div> }
    };
    let code = |text: &str| html! { <code>{text}</code> };
    let started = if host.rootless { t.about_rootless } else { t.about_root };
    let images = ["busybox", "lab"].into_iter().chain(host.images.iter().map(String::as_str));
    html! {
        <dl class="facts" data-test="facts">
            {fact(t.about_version, code(&format!("Vitrine {}", host.version)))}
            {fact(t.about_kernel, code(&format!("Linux {}", host.kernel)))}
            {fact(t.about_cpus, code(&host.cpus.to_string()))}
            {fact(t.about_memory, code(&format::bytes(host.memory_bytes)))}
            {fact(t.about_cgroups, match lacks_controller(Some(host), Controller::Cpu) {
                Some(_) => html! { {t.about_no_cpu} },
                None => code(words::dialect(host.cpu_dialect)),
            })}
            {fact(t.about_user, html! { {started} })}
            {fact(t.about_images, html! { <>{for images.map(|name| html! { <code key={name.to_string()} class="tag">{name}</code> })}</> })}
            {fact(t.about_profiles, html! {
                <>{for host.profiles.iter().map(|profile| html! {
                    <p key={refusal::profile_name(*profile)}><code class="tag">{refusal::profile_name(*profile)}</code>
                        {words::profile_meaning(ui.lang, *profile)}</p>
                })}</>
            })}
        </dl>
    }
}

fn cannot(ui: &Ui, missing: &[Missing]) -> Html {
    let t = ui.t();
    html! {
        <section class="cannot" aria-labelledby="cannot-title" data-test="cannot">
            <h3 id="cannot-title">{t.cannot}</h3>
            <p class="muted" hidden={!missing.is_empty()}>{t.cannot_nothing}</p>
            <ul>
                {for missing.iter().enumerate().map(|(at, one)| html! {
                    <li key={at}>
                        <h4>{words::feature(ui.lang, one.feature)}</h4>
                        <p>{words::consequence(ui.lang, one.feature)}</p>
                        <p>{words::because(ui.lang, one.because)}</p>
                        {mend(ui, one)}
                    </li>
                })}
            </ul>
        </section>
    }
}

fn mend(ui: &Ui, missing: &Missing) -> Html {
    match missing.mend.as_str() {
        "" => html! { <p class="muted">{ui.t().mend_none}</p> },
        line => {
            html! { <><p class="muted">{ui.t().mend}</p>{shell_line(line)}</> }
        }
    }
}

/// The note in the lab: what is missing in one line, until it was read.
#[component]
pub(crate) fn MissingNote(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = ui.t();
    let read = use_state_eq(|| prefs::load(key::MISSING).unwrap_or_default());
    let known = props.state.host.as_deref();
    let print = known.map(|host| host::fingerprint(&host.missing)).unwrap_or_default();
    let hidden = print.is_empty() || *read == print;
    let features: Vec<_> = known
        .map(|host| host.missing.iter().map(|missing| missing.feature).collect())
        .unwrap_or_default();
    let rootless = known.is_some_and(|host| host.rootless);
    let more = desk.act.reform(|_: MouseEvent| Action::Dialog(Some(Dialog::About)));
    let dismiss = Callback::from(move |_: MouseEvent| {
        prefs::save(key::MISSING, &print);
        read.set(print.clone());
    });
    html! {
        <div class="note" role="note" data-test="missing" {hidden}>
            <p>
                {words::missing_in_short(ui.lang, &features)}
                <span hidden={!rootless}>{" "}{t.rootless_note}</span>
            </p>
            <button type="button" class="plain" data-test="missing-more" onclick={more}>{t.missing_more}</button>
            <button type="button" class="plain" data-test="missing-dismiss" onclick={dismiss}>{t.dismiss}</button>
        </div>
    }
}

/// The banner on every screen, where others on the network can read along.
pub(crate) fn plain_http(ui: &Ui, state: &State) -> Html {
    let t = ui.t();
    let plain = state.host.as_deref().is_some_and(|host| host.plain_http);
    html! {
        <aside class="banner" data-test="plain-http" hidden={!plain}>
            <p><strong>{t.plain_http}</strong>{" "}{t.plain_http_todo}</p>
        </aside>
    }
}
