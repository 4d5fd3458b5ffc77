//! What of the page is loaded later: the lab, and the lenses, which are its further views.
//!
//! The first page, which everybody waits for, is small because none of them is in it. The build
//! cuts the wasm at the split points at the end of this file: whatever only [`views::show_lab`]
//! reaches, code and words, goes into the file of the lab; what only [`views::show`] reaches into
//! the file of the lenses, what only [`views::show_told`] does into that of what is told of
//! containers, and what only [`views::show_time`] and [`views::MODEL`] do into that of the simulator; what several need into ones that come with either. They are fetched when
//! the page rests, or when one of them is asked for.
//!
//! To add a view:
//!
//! 1. A component or function below `components/`, its words in a file of its own below `text/`
//!    (`words! { … }`: a struct of words is loaded as a whole, with the first that uses it).
//! 2. A variant of [`Lens`], and its arm in `lens/views.rs`.
//! 3. If it has a button over the figure: a line in [`on_the_bar`].
//!
//! **Invariant:** the first page names no component of the lab or of a lens, nor their words, and
//! the lab none of a lens's: they say [`show`]. A single use elsewhere brings it back into the
//! file of the user; `cargo xtask web` shows the sizes.

mod views;

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use vitrine_shared::cgroup::CgroupSample;
use yew::prelude::*;

use crate::prefs::Lang;
use crate::sim::Make;
use crate::state::State;
use crate::ui::{Desk, Ui, use_ui};

/// Milliseconds between the page's first rest and the fetching of what may be looked at next.
const REST_MSEC: u32 = 200;

/// A view that is loaded when it is first looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lens {
    /// The lab itself.
    Lab,
    /// The machine in the header.
    Machine,
    /// What the server is and cannot do, in its dialog.
    About,
    /// Which namespaces shall be new.
    Forge,
    /// The machine's groups as a tree-table.
    Groups,
    /// Who is in which namespace.
    Matrix,
    /// One line, run in a container and in its machine.
    Both,
    /// A group's memory, processes and devices.
    Uses,
    /// A group's files in both dialects.
    Rosetta,
    /// A group's CPU: a minute of it, and its last periods.
    Cpu,
    /// Which numbers in a container are the host's.
    Truth,
    /// A birth, step by step.
    Birth,
    /// What a container hides, and what leaks.
    Leaks,
    /// What a click really did, and the same in a shell.
    Explain,
    /// How the time of the simulator passes.
    Time,
}

impl Lens {
    /// The file that it is in.
    fn part(self) -> Part {
        match self {
            Lens::Lab | Lens::Machine => Part::Lab,
            Lens::Forge | Lens::Truth | Lens::Birth | Lens::Leaks | Lens::Explain => Part::Told,
            Lens::Time => Part::Sim,
            _ => Part::Lenses,
        }
    }
}

/// A file that is loaded later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Lab,
    Lenses,
    /// How containers are made, and what they are told.
    Told,
    /// The simulated server, and how its time passes.
    Sim,
}

impl Part {
    /// In the order in which they are fetched.
    // The simulator too, the last: when it is needed, its server may have gone.
    const ALL: [Part; 4] = [Part::Lab, Part::Lenses, Part::Told, Part::Sim];
}

/// A lens with a button in the bar over the figure.
pub(crate) struct Button {
    pub(crate) lens: Lens,
    /// What the tests know its button by, after `view-`.
    pub(crate) name: &'static str,
    /// On the button.
    pub(crate) word: &'static str,
    /// Over the figure while it is shown.
    pub(crate) question: &'static str,
}

/// The lenses of the bar, in its order; the first view, two eyes, stands before them.
pub(crate) fn on_the_bar(lang: Lang) -> [Button; 8] {
    let button = |lens, name, word, question| Button { lens, name, word, question };
    [
        button(
            Lens::Cpu,
            "cpu",
            "CPU",
            lang.pick("Where did the CPU time go?", "CPU 时间去哪儿了？"),
        ),
        button(
            Lens::Uses,
            "uses",
            lang.pick("Memory", "内存"),
            lang.pick("What else does it use, and what stops it?", "它还用了什么，又被什么拦住？"),
        ),
        button(
            Lens::Matrix,
            "matrix",
            lang.pick("Namespaces", "命名空间"),
            lang.pick("Who shares what with whom?", "谁和谁共用什么？"),
        ),
        button(
            Lens::Groups,
            "groups",
            lang.pick("Groups", "组"),
            lang.pick("Which limit holds it back?", "是哪个限制管住了它？"),
        ),
        button(
            Lens::Truth,
            "truth",
            "/proc",
            lang.pick("Which of these numbers are the host’s?", "这些数字里，哪些是宿主机的？"),
        ),
        button(
            Lens::Leaks,
            "leaks",
            lang.pick("Leaks", "看得见什么"),
            lang.pick("What does it hide, and what still leaks?", "它藏住了什么，什么还看得见？"),
        ),
        button(
            Lens::Rosetta,
            "rosetta",
            "v1 ↔ v2",
            lang.pick("How is it written?", "两种写法是什么？"),
        ),
        button(
            Lens::Birth,
            "birth",
            lang.pick("Birth", "诞生"),
            lang.pick("How did it come to be?", "它是怎样一步步诞生的？"),
        ),
    ]
}

/// The lens of the bar that has this name.
pub(crate) fn named(name: Option<&str>) -> Option<Lens> {
    on_the_bar(Lang::En).into_iter().find(|one| Some(one.name) == name).map(|one| one.lens)
}

/// What a lens may show and do. Its machine is `state.focus`, its container `state.container()`.
pub(crate) struct Scene<'a> {
    pub(crate) ui: &'a Ui,
    pub(crate) desk: &'a Desk,
    pub(crate) state: &'a Rc<State>,
    /// The group that is looked at, of the last sample.
    pub(crate) group: Option<&'a CgroupSample>,
    /// Goes back to the first view; `None` where there is nothing to go back to.
    pub(crate) leave: Option<Callback<()>>,
}

/// Shows a lens, or that it is being loaded, or that it could not be. Always one element.
pub(crate) fn show(scene: &Scene<'_>, lens: Lens) -> Html {
    let part = lens.part();
    match scene.ui.lenses.status(part) {
        Status::Ready(show) => show(scene, lens),
        status => {
            let failed = matches!(status, Status::Failed);
            html! { <Loading key="loading" {part} {failed} /> }
        }
    }
}

/// Shows a lens if it is there: for what need not be waited for.
pub(crate) fn show_if_there(scene: &Scene<'_>, lens: Lens) -> Option<Html> {
    match scene.ui.lenses.status(lens.part()) {
        Status::Ready(show) => Some(show(scene, lens)),
        _ => None,
    }
}

/// What a file of lenses gives.
type Show = fn(&Scene<'_>, Lens) -> Html;

/// How far its loading is.
#[derive(Clone, Copy, Debug)]
enum Status {
    /// Not asked for, or on its way.
    Away,
    /// It could not be loaded.
    Failed,
    /// It is there.
    Ready(Show),
}

impl PartialEq for Status {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// How far each file is, in the order of [`Part::ALL`].
#[derive(Clone, Copy, Debug, PartialEq)]
struct Statuses([Status; Part::ALL.len()]);

impl Reducible for Statuses {
    type Action = (Part, Status);

    fn reduce(self: Rc<Self>, (part, status): (Part, Status)) -> Rc<Self> {
        let mut all = *self;
        all.0[part as usize] = status;
        Rc::new(all)
    }
}

/// The lenses as components have them, in [`Ui`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lenses {
    statuses: Statuses,
    load: Callback<Part>,
}

impl Lenses {
    fn status(&self, part: Part) -> Status {
        self.statuses.0[part as usize]
    }
}

/// Loads what comes later: once the page `rests`, or when it is shown.
#[hook]
pub(crate) fn use_lenses(rests: bool) -> Lenses {
    let statuses = use_reducer_eq(|| Statuses([Status::Away; Part::ALL.len()]));
    let set = {
        let dispatcher = statuses.dispatcher();
        use_callback((), move |of, ()| dispatcher.dispatch(of))
    };
    let load = {
        let set = set.clone();
        use_callback((), move |part, ()| {
            let set = set.clone();
            set.emit((part, Status::Away));
            wasm_bindgen_futures::spawn_local(async move {
                let got = fetch(part).await;
                set.emit((part, got.map_or(Status::Failed, Status::Ready)));
            });
        })
    };
    use_effect_with(rests, move |rests| {
        let fetch_all = async move {
            for part in Part::ALL {
                // Nobody has asked for it yet: a failure is told to whoever does.
                if let Some(show) = fetch(part).await {
                    set.emit((part, Status::Ready(show)));
                }
            }
        };
        let begin = move || wasm_bindgen_futures::spawn_local(fetch_all);
        let timer = rests.then(|| Timeout::new(REST_MSEC, begin));
        move || drop(timer)
    });
    Lenses { statuses: *statuses, load }
}

async fn fetch(part: Part) -> Option<Show> {
    match part {
        Part::Lab => split::open_lab().await.ok(),
        Part::Lenses => split::open().await.ok(),
        Part::Told => split::open_told().await.ok(),
        Part::Sim => split::open_sim().await.ok().map(|(show, _)| show),
    }
}

/// What makes a simulated server; `None` when its file could not be loaded.
pub(crate) async fn model() -> Option<Make> {
    split::open_sim().await.ok().map(|(_, make)| make)
}

/// What [`Loading`] shows.
#[derive(Properties, PartialEq)]
struct LoadingProps {
    part: Part,
    failed: bool,
}

/// Stands where a lens will be, and asks for it.
#[component]
fn Loading(props: &LoadingProps) -> Html {
    let ui = use_ui();
    let t = ui.t();
    let part = props.part;
    let load = ui.lenses.load.reform(move |()| part);
    let again = load.reform(|_: MouseEvent| ());
    {
        let failed = props.failed;
        use_effect_with((), move |()| {
            if !failed {
                load.emit(());
            }
        });
    }
    html! {
        <div class="lens-loading" data-test="lens-loading">
            <p role="status" class="muted" hidden={props.failed}>{t.lens_loading}</p>
            <div class="trouble" role="alert" hidden={!props.failed}>
                {props.failed.then(|| html! {
                    <>
                        <p><span class="cross" aria-hidden="true">{"✕ "}</span>{t.lens_failed}</p>
                        <button type="button" class="plain" data-test="lens-again" onclick={again}>{t.try_again}</button>
                    </>
                })}
            </div>
        </div>
    }
}

/// The split points. Their macro declares what the build puts in their place.
#[allow(unsafe_code)]
mod split {
    use wasm_split_helpers::{SplitLoaderError, wasm_split};

    use super::{Make, Show, views};

    /// Loads the file of the lab, if it is not there, and gives what is in it.
    #[wasm_split(lab, fallible)]
    pub(super) fn open_lab() -> Result<Show, SplitLoaderError> {
        Ok(views::show_lab)
    }

    /// Loads the file of the lenses, if it is not there, and gives what is in it.
    #[wasm_split(lens, fallible)]
    pub(super) fn open() -> Result<Show, SplitLoaderError> {
        Ok(views::show)
    }

    /// Loads the file of what is told of containers, if it is not there, and gives what is in it.
    #[wasm_split(told, fallible)]
    pub(super) fn open_told() -> Result<Show, SplitLoaderError> {
        Ok(views::show_told)
    }

    /// Loads the file of the simulator, if it is not there, and gives what is in it.
    #[wasm_split(sim, fallible)]
    pub(super) fn open_sim() -> Result<(Show, Make), SplitLoaderError> {
        Ok((views::show_time, views::MODEL))
    }
}
