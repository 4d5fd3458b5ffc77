//! The lower half of the forge: which root file system, and which program.

use vitrine_shared::message::{Feature, HostInfo};
use vitrine_shared::spec::Rootfs;
use yew::prelude::*;

use super::Choice;
use crate::host::{lacks, program_of};
use crate::text::{forge, host as words};
use crate::ui::{Ui, input_text, select_value};

/// The name of a root file system in the list.
fn name(rootfs: &Rootfs) -> &str {
    match rootfs {
        Rootfs::Busybox => "busybox",
        Rootfs::Lab => "lab",
        Rootfs::Image(name) => name,
        Rootfs::Machine | Rootfs::Directory(_) => "",
    }
}

/// All that can be chosen here, the built-in ones first.
fn choices(host: Option<&HostInfo>) -> Vec<Rootfs> {
    let added = host.map(|host| host.images.as_slice()).unwrap_or_default();
    let added = added.iter().cloned().map(Rootfs::Image);
    [Rootfs::Busybox, Rootfs::Lab].into_iter().chain(added).collect()
}

/// The root file system.
pub(super) fn rootfs(ui: &Ui, choice: &UseStateHandle<Choice>, host: Option<&HostInfo>) -> Html {
    let t = forge::words(ui.lang);
    let chosen = choice.rootfs_on(host);
    let all = choices(host);
    let no_busybox = lacks(host, Feature::Busybox);
    let change = {
        let (choice, all) = (choice.clone(), all.clone());
        Callback::from(move |event: Event| {
            // By position: an image may be named like one of the two that are always there.
            let at = select_value(&event).parse().unwrap_or(0_usize);
            let rootfs = all.get(at).cloned().unwrap_or(Rootfs::Busybox);
            choice.set(Choice { rootfs, ..(*choice).clone() });
        })
    };
    let meaning = match &chosen {
        Rootfs::Lab => t.rootfs_lab,
        Rootfs::Image(_) => t.rootfs_image,
        _ => t.rootfs_busybox,
    };
    html! {
        <div class="more">
            <label class="more-head">
                <span>{t.rootfs}</span>
                <select data-test="forge-rootfs" onchange={change} aria-describedby="forge-rootfs-words">
                    {for all.iter().enumerate().map(|(at, one)| html! {
                        <option key={at} value={at.to_string()} selected={*one == chosen}
                            disabled={*one == Rootfs::Busybox && no_busybox.is_some()}>{name(one)}</option>
                    })}
                </select>
            </label>
            <p class="muted" id="forge-rootfs-words">
                {meaning}
                {no_busybox.map(|missing| html! {
                    <span>{" "}{words::feature(ui.lang, missing.feature)}{ui.lang.pick(": ", "：")}
                        {words::because(ui.lang, missing.because)}</span>
                })}
            </p>
        </div>
    }
}

/// The program and its arguments.
pub(super) fn program(
    ui: &Ui,
    choice: &UseStateHandle<Choice>,
    host: Option<&HostInfo>,
    wrong: bool,
) -> Html {
    let t = forge::words(ui.lang);
    let shown = choice.program.clone();
    let shown = shown.unwrap_or_else(|| program_of(&choice.rootfs_on(host)).into());
    let typed = {
        let choice = choice.clone();
        Callback::from(move |event: InputEvent| {
            choice.set(Choice { program: Some(input_text(&event)), ..(*choice).clone() });
        })
    };
    html! {
        <div class="more">
            <label class="more-head">
                <span>{t.program}</span>
                <input type="text" data-test="forge-program" value={shown} autocomplete="off"
                    spellcheck="false" oninput={typed} aria-describedby="forge-program-words"
                    aria-invalid={wrong.to_string()} />
            </label>
            <p class={if wrong { "refused" } else { "muted" }} id="forge-program-words">
                {if wrong { t.program_wrong } else { t.program_help }}
            </p>
        </div>
    }
}
