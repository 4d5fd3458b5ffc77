//! The root component: where socket, state and screens meet.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Interval;
use vitrine_shared::message::{ClientMessage, Command, Event, ServerMessage};
use wasm_bindgen::prelude::wasm_bindgen;
use yew::prelude::*;

use crate::components::about_server::{about_dialog, plain_http};
use crate::components::header::header;
use crate::components::start::Start;
use crate::lens::{self, Lens, Lenses, Scene, use_lenses};
use crate::prefs::{self, Theme, key};
use crate::route::{self, Fragment, Screen};
use crate::session;
use crate::socket::{Signal, Socket};
use crate::state::{Action, Known, Link, Session};
use crate::tap;
use crate::ui::{Change, Desk, Ui, next_number};

/// Milliseconds between two pings.
const PING_MSEC: u32 = 2_000;

#[wasm_bindgen]
extern "C" {
    /// Of `boot.js`: covers the page with a plain explanation and a button to load it again.
    #[wasm_bindgen(js_namespace = vitrine)]
    fn crashed(report: &str);
}

/// Puts the page where the shell of `index.html` stands.
pub(crate) fn mount() {
    std::panic::set_hook(Box::new(|info| crashed(&info.to_string())));
    let document = web_sys::window().and_then(|window| window.document());
    let root = document.and_then(|document| document.get_element_by_id("app"));
    match root {
        Some(root) => {
            root.replace_children_with_node_0();
            yew::Renderer::<App>::with_root(root).render();
        }
        None => crashed("index.html has no element with the id app"),
    }
}

type Line = Rc<RefCell<Option<Socket>>>;

#[component]
fn App() -> Html {
    let state = use_reducer_eq(Known::default);
    let lenses = use_lenses(state.session != Session::Checking && state.link != Link::Opening);
    let ui = use_choices(lenses);
    let screen = use_screen();
    let line: Line = use_mut_ref(|| None);
    let desk = use_desk_of(&state, &line);
    use_line(&state, &line);
    use_subscription(&state, &desk);
    use_due(&state, &desk);
    use_effect_with(state.made, |made| {
        // Who is in the lab stays in the view they look at.
        if *made > 0 && route::current() != Fragment::Screen(Screen::Lab) {
            route::go(Screen::Lab);
        }
    });
    let known = Rc::clone(&state.0);
    let top = header(&ui, &desk, &known, screen);
    let banner = plain_http(&ui, &known);
    let scene = Scene { ui: &ui, desk: &desk, state: &known, group: None, leave: None };
    let lab = (screen == Screen::Lab).then(|| lens::show(&scene, Lens::Lab));
    let about = about_dialog(&ui, &desk, &known);
    html! {
        <ContextProvider<Ui> context={ui}>
            <ContextProvider<Desk> context={desk}>
                {top}
                {banner}
                <div class="screen" key="screen">
                    {match screen {
                        Screen::Start => html! { <Start key="start" state={known} /> },
                        Screen::Lab => lab.unwrap_or_default(),
                    }}
                </div>
                {about}
            </ContextProvider<Desk>>
        </ContextProvider<Ui>>
    }
}

/// Language, theme and size: kept in the browser, said on `<html>`.
#[hook]
fn use_choices(lenses: Lenses) -> Ui {
    let lang = use_state_eq(prefs::first_lang);
    let theme = use_state_eq(|| Theme::named(&prefs::load(key::THEME).unwrap_or_default()));
    let projector = use_state_eq(|| prefs::load(key::SIZE).as_deref() == Some("projector"));
    use_effect_with((*lang, *theme, *projector), |(lang, theme, projector)| {
        prefs::show("lang", lang.tag());
        prefs::show("data-theme", theme.name());
        prefs::show("data-size", if *projector { "projector" } else { "normal" });
    });
    let change = {
        let (lang, theme, projector) = (lang.clone(), theme.clone(), projector.clone());
        Callback::from(move |change| match change {
            Change::Lang => {
                prefs::save(key::LANG, lang.other().short());
                lang.set(lang.other());
            }
            Change::Theme => {
                prefs::save(key::THEME, theme.next().name());
                theme.set(theme.next());
            }
            Change::Size => {
                prefs::save(key::SIZE, if *projector { "normal" } else { "projector" });
                projector.set(!*projector);
            }
        })
    };
    Ui { lang: *lang, theme: *theme, projector: *projector, change, lenses }
}

/// The screen that the address asks for.
#[hook]
fn use_screen() -> Screen {
    let screen = use_state_eq(|| match route::current() {
        Fragment::Screen(screen) => screen,
        Fragment::Token(_) => Screen::Start,
    });
    let set = screen.setter();
    use_effect_with((), move |()| {
        let window = web_sys::window().expect("a page has a window");
        let listener = EventListener::new(&window, "hashchange", move |_| match route::current() {
            Fragment::Screen(screen) => set.set(screen),
            // A new link in an open tab: a fresh page is the simplest way to a fresh session.
            Fragment::Token(_) => reload(),
        });
        move || drop(listener)
    });
    *screen
}

fn reload() {
    if let Some(window) = web_sys::window() {
        // A page may always load itself again.
        let _ = window.location().reload();
    }
}

/// The way for components to ask the server.
#[hook]
fn use_desk_of(state: &UseReducerHandle<Known>, line: &Line) -> Desk {
    let act = {
        let dispatcher = state.dispatcher();
        use_callback((), move |action: Action, ()| dispatcher.dispatch(action))
    };
    let send = {
        let (dispatcher, line) = (state.dispatcher(), Rc::clone(line));
        use_callback((), move |command: Command, ()| {
            let id = next_number();
            // Told first: the answer must find its question.
            dispatcher.dispatch(Action::Asked { id, command: command.clone() });
            let message = ClientMessage { id, command };
            let sent = line.borrow().as_ref().is_some_and(|socket| socket.send(&message));
            if !sent {
                dispatcher.dispatch(Action::NotSent { id, command: message.command });
            }
        })
    };
    use_memo((send, act), |(send, act)| Desk { send: send.clone(), act: act.clone() })
        .as_ref()
        .clone()
}

/// Exchanges the token if there is one, then keeps the socket open for as long as the page lives.
#[hook]
fn use_line(state: &UseReducerHandle<Known>, line: &Line) {
    let (dispatcher, line) = (state.dispatcher(), Rc::clone(line));
    use_effect_with((), move |()| {
        let holder = Rc::clone(&line);
        wasm_bindgen_futures::spawn_local(async move {
            if let Fragment::Token(token) = route::current() {
                let session = session::redeem(&token).await;
                route::forget_token();
                let refused = matches!(session, Session::SignedOut { .. });
                dispatcher.dispatch(Action::Session(session));
                // An old cookie may still be good.
                if refused && session::ask().await != Session::Open {
                    return;
                }
            }
            let tell = Callback::from(move |signal| match signal {
                Signal::Message(ServerMessage::Event(Event::Cpu(sample))) => tap::hand_on(sample),
                signal => dispatcher.dispatch(action_of(signal)),
            });
            *line.borrow_mut() = Some(Socket::keep_open(tell));
        });
        move || drop(holder.borrow_mut().take())
    });
}

fn action_of(signal: Signal) -> Action {
    match signal {
        Signal::Session(session) => Action::Session(session),
        Signal::Link(link) => Action::Link(link),
        Signal::Message(message) => Action::Heard { message, now_msec: now_msec() },
    }
}

/// The page's clock, in whole milliseconds since it was opened.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Milliseconds of a visit.
fn now_msec() -> u64 {
    let clock = web_sys::window().and_then(|window| window.performance());
    clock.map_or(0, |clock| clock.now() as u64)
}

/// Starts what was planned for a machine, once the machine is there.
#[hook]
fn use_due(state: &UseReducerHandle<Known>, desk: &Desk) {
    let desk = desk.clone();
    use_effect_with(state.due.clone(), move |due| {
        if let Some((machine, spec)) = due.clone() {
            desk.send.emit(Command::StartContainer { machine: Some(machine), spec });
            desk.act.emit(Action::Begun);
        }
    });
}

/// Subscribes to the machine that is looked at, again after each welcome; and pings.
#[hook]
fn use_subscription(state: &UseReducerHandle<Known>, desk: &Desk) {
    let send = desk.send.clone();
    use_effect_with((state.welcomes, state.focus), move |(welcomes, focus)| {
        if *welcomes > 0 {
            send.emit(Command::Subscribe { machine: *focus, hertz: route::spot().hertz });
        }
    });
    let send = desk.send.clone();
    use_effect_with(state.link == Link::Live, move |live| {
        let ping = live.then(|| {
            send.emit(Command::Ping { token: now_msec() });
            Interval::new(PING_MSEC, move || send.emit(Command::Ping { token: now_msec() }))
        });
        move || drop(ping)
    });
}
