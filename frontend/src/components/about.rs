//! What the server is, and what it cannot do.

use vitrine_shared::cgroup::Controller;
use vitrine_shared::message::{HostInfo, Missing};
use yew::prelude::*;

use super::parts::shell_line;
use crate::format;
use crate::host::lacks_controller;
use crate::lens::Scene;
use crate::text::{about, host as words, refusal};
use crate::ui::Ui;

/// What stands in the dialog.
pub(crate) fn about(scene: &Scene<'_>) -> Html {
    let ui = scene.ui;
    match scene.state.host.as_deref() {
        None => html! { <p key="none">{about::words(ui.lang).about_nothing}</p> },
        Some(host) => html! { <div key="host">{facts(ui, host)}{cannot(ui, &host.missing)}</div> },
    }
}

fn facts(ui: &Ui, host: &HostInfo) -> Html {
    let t = about::words(ui.lang);
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
    let t = about::words(ui.lang);
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
        "" => html! { <p class="muted">{about::words(ui.lang).mend_none}</p> },
        line => {
            html! { <><p class="muted">{about::words(ui.lang).mend}</p>{shell_line(line)}</> }
        }
    }
}
