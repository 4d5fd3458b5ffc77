//! What makes a group meet its limits: bounded, and ending by itself.

use vitrine_shared::message::Command;
use yew::prelude::*;

use super::Props;
use crate::components::parts::TroubleText;
use crate::place::Place;
use crate::text::uses as words;
use crate::ui::{Desk, Ui};

/// Holds 64 MiB for ten seconds: dd has read them and may not write them yet.
const EATER: &str = "dd if=/dev/zero bs=64M count=1 2>/dev/null | (sleep 10; cat >/dev/null)";
/// Asks for 200 processes until one is refused; those that it got end after five seconds.
///
/// `xargs` waits for them: whom nobody waits for goes on being counted. (A shell for which a fork is
/// refused either leaves them behind, or, with `-i` and no terminal, tries again without end.)
const BOMB: &str = "seq 200 | xargs -P 200 -n 1 sh -c 'sleep 5' >/dev/null 2>&1";

/// The buttons, for a container that runs.
pub(super) fn tools(props: &Props, ui: &Ui, desk: &Desk) -> Html {
    let t = words::words(ui.lang);
    let Some(container) = props.container else {
        return html! { <div class="busy" hidden=true /> };
    };
    let machine = props.machine;
    let has_limit = props.pids_max.is_some();
    let start = |script: &'static str| {
        desk.send.reform(move |_: MouseEvent| Command::Exec {
            machine,
            container,
            argv: ["/bin/sh", "-c", script].map(String::from).to_vec(),
        })
    };
    let stop = desk.send.reform(move |_: MouseEvent| Command::StopExecs { machine, container });
    html! {
        <div class="busy">
            <button type="button" data-test="eat" onclick={start(EATER)} title={EATER} disabled={!props.may_change}>{t.eat}</button>
            <button type="button" data-test="bomb" onclick={start(BOMB)} title={BOMB} disabled={!props.may_change || !has_limit}>{t.bomb}</button>
            <button type="button" class="plain" data-test="use-stop" onclick={stop} disabled={!props.may_change}>{t.stop}</button>
            <span class="muted" hidden={has_limit}>{t.bomb_needs}</span>
            <TroubleText place={Place::Exec(container)} trouble={props.exec_trouble.clone()} />
        </div>
    }
}
