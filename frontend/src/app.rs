//! The root component: where socket, state and screens meet.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Interval;
use vitrine_shared::cgroup::Dialect;
use vitrine_shared::message::{ClientMessage, Command, Event, ServerMessage};
use wasm_bindgen::prelude::wasm_bindgen;
use yew::prelude::*;

use crate::components::about_server::{about_dialog, plain_http};
use crate::components::header::header;
use crate::components::sim_bar::sim_bar;
use crate::components::start::Start;
use crate::lens::{self, Lens, Lenses, Scene, use_lenses};
use crate::prefs::{self, Theme, key};
use crate::route::{self, Fragment, Screen};
use crate::session;
use crate::sim::Simulator;
use crate::socket::{Signal, Socket};
use crate::state::{Action, Known, Link, Session};
use crate::tap::{self, Near};
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

/// The server that the page talks to.
enum Source {
    Live(Socket),
    Simulated(Simulator),
}

impl Source {
    fn send(&self, message: &ClientMessage) -> bool {
        match self {
            Source::Live(socket) => socket.send(message),
            Source::Simulated(simulator) => simulator.send(message),
        }
    }
}

type Line = Rc<RefCell<Option<Source>>>;

#[component]
fn App() -> Html {
    let state = use_reducer_eq(Known::default);
    let lenses = use_lenses(state.session != Session::Checking && state.link != Link::Opening);
    let ui = use_choices(lenses);
    let (screen, sim) = use_address();
    let line: Line = use_mut_ref(|| None);
    let desk = use_desk_of(&state, &line);
    use_line(&state, &line, sim);
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
    let ribbon = sim_bar(&ui, &desk, &known);
    let scene = Scene { ui: &ui, desk: &desk, state: &known, group: None, leave: None };
    let lab = (screen == Screen::Lab).then(|| lens::show(&scene, Lens::Lab));
    let about = about_dialog(&ui, &desk, &known);
    html! {
        <ContextProvider<Ui> context={ui}>
            <ContextProvider<Desk> context={desk}>
                {top}
                {banner}
                {ribbon}
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

/// The screen that the address asks for, and whether with a simulated server.
#[hook]
fn use_address() -> (Screen, Option<Dialect>) {
    let address = use_state_eq(|| match route::current() {
        Fragment::Screen(screen) => (screen, route::sim()),
        Fragment::Token(_) => (Screen::Start, None),
    });
    let set = address.setter();
    use_effect_with((), move |()| {
        let window = web_sys::window().expect("a page has a window");
        let listener = EventListener::new(&window, "hashchange", move |_| match route::current() {
            Fragment::Screen(screen) => set.set((screen, route::sim())),
            // A new link in an open tab: a fresh page is the simplest way to a fresh session.
            Fragment::Token(_) => reload(),
        });
        move || drop(listener)
    });
    *address
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
            let sent = line.borrow().as_ref().is_some_and(|source| source.send(&message));
            if !sent {
                dispatcher.dispatch(Action::NotSent { id, command: message.command });
            }
        })
    };
    use_memo((send, act), |(send, act)| Desk { send: send.clone(), act: act.clone() })
        .as_ref()
        .clone()
}

/// Opens the line to the server that the address asks for: the live one, after the token was exchanged if
/// there is one, or a simulated one. Either is kept for as long as the address says so.
#[hook]
fn use_line(state: &UseReducerHandle<Known>, line: &Line, sim: Option<Dialect>) {
    let (dispatcher, line) = (state.dispatcher(), Rc::clone(line));
    let first = use_mut_ref(|| true);
    use_effect_with(sim, move |sim| {
        let sim = *sim;
        let is_first = first.replace(false);
        if sim.is_some() || !is_first {
            dispatcher.dispatch(Action::Source { simulated: sim.is_some() });
        }
        let (holder, over) = (Rc::clone(&line), Rc::new(Cell::new(false)));
        let is_over = Rc::clone(&over);
        let tell = {
            let dispatcher = dispatcher.clone();
            Callback::from(move |signal| match signal {
                Signal::Message(ServerMessage::Event(Event::Cpu(sample))) => {
                    tap::hand_on(Near::Cpu(sample));
                }
                Signal::Message(ServerMessage::Event(Event::Use(sample))) => {
                    tap::hand_on(Near::Use(sample));
                }
                signal => dispatcher.dispatch(action_of(signal)),
            })
        };
        if let Some(dialect) = sim {
            *line.borrow_mut() = Some(Source::Simulated(Simulator::begin(dialect, tell)));
        } else {
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
                // Somebody may have gone to the simulator meanwhile.
                if !is_over.get() {
                    *line.borrow_mut() = Some(Source::Live(Socket::keep_open(tell)));
                }
            });
        }
        move || {
            over.set(true);
            drop(holder.borrow_mut().take());
        }
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
