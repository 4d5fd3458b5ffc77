//! The lenses: what is loaded when it is first looked at, in a file of its own.
//!
//! The page that everybody waits for is small because these views are not in it. The build cuts
//! the wasm at [`split::open`]: whatever only [`views::show`] reaches, code and words, goes into
//! the file of the lenses. It is fetched when the page is idle, or when one of them is asked for.
//!
//! To add a view:
//!
//! 1. A component or function below `components/`, its words in a file of its own below `text/`
//!    (`words! { … }`: one struct for all would keep them together in the first file).
//! 2. A variant of [`Lens`], and its arm in `lens/views.rs`.
//! 3. If it has a button over the figure: a line in [`on_the_bar`].
//!
//! **Invariant:** outside `lens/views.rs` nobody names a lens's component or its words. A single
//! use elsewhere brings it back into the first file; `cargo xtask web` shows the sizes.

mod views;

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use vitrine_shared::cgroup::CgroupSample;
use yew::prelude::*;

use crate::prefs::Lang;
use crate::state::State;
use crate::ui::{Desk, Ui, use_ui};

/// Milliseconds between the page's first rest and the fetching of what may be looked at next.
const REST_MSEC: u32 = 200;

/// A view that is loaded when it is first looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lens {
    /// What the server is and cannot do, in its dialog.
    About,
    /// Which namespaces shall be new.
    Forge,
    /// A group's files in both dialects.
    Rosetta,
    /// A group's CPU: a minute of it, and its last periods.
    Cpu,
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
pub(crate) fn on_the_bar(lang: Lang) -> [Button; 2] {
    let button = |lens, name, word, question| Button { lens, name, word, question };
    [
        button(
            Lens::Cpu,
            "cpu",
            "CPU",
            lang.pick("Where did the CPU time go?", "CPU 时间去哪儿了？"),
        ),
        button(
            Lens::Rosetta,
            "rosetta",
            "v1 ↔ v2",
            lang.pick("How is it written?", "两种写法是什么？"),
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
    #[allow(dead_code)] // For lenses that are plain functions; those of today are components.
    pub(crate) desk: &'a Desk,
    pub(crate) state: &'a Rc<State>,
    /// The group that is looked at, of the last sample.
    pub(crate) group: Option<&'a CgroupSample>,
    /// Goes back to the first view; `None` where there is nothing to go back to.
    pub(crate) leave: Option<Callback<()>>,
}

/// Shows a lens, or that it is being loaded, or that it could not be. Always one element.
pub(crate) fn show(scene: &Scene<'_>, lens: Lens) -> Html {
    match scene.ui.lenses.status {
        Status::Ready(show) => show(scene, lens),
        status => {
            let failed = matches!(status, Status::Failed);
            html! { <Loading key="loading" {failed} /> }
        }
    }
}

/// What the file of the lenses gives.
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

/// The lenses as components have them, in [`Ui`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lenses {
    status: Status,
    load: Callback<()>,
}

/// Loads the lenses: once the page `rests`, or when one is shown.
#[hook]
pub(crate) fn use_lenses(rests: bool) -> Lenses {
    let status = use_state_eq(|| Status::Away);
    let load = {
        let set = status.setter();
        use_callback((), move |(), ()| {
            let set = set.clone();
            set.set(Status::Away);
            fetch(move |got| set.set(got.map_or(Status::Failed, Status::Ready)));
        })
    };
    let set = status.setter();
    use_effect_with(rests, move |rests| {
        let fetch = move || {
            fetch(move |got| {
                // Nobody has asked for it yet: a failure is told to whoever does.
                if let Some(show) = got {
                    set.set(Status::Ready(show));
                }
            });
        };
        let timer = rests.then(|| Timeout::new(REST_MSEC, fetch));
        move || drop(timer)
    });
    Lenses { status: *status, load }
}

fn fetch(then: impl FnOnce(Option<Show>) + 'static) {
    wasm_bindgen_futures::spawn_local(async move { then(split::open().await.ok()) });
}

/// What [`Loading`] shows.
#[derive(Properties, PartialEq)]
struct LoadingProps {
    failed: bool,
}

/// Stands where a lens will be, and asks for it.
#[component]
fn Loading(props: &LoadingProps) -> Html {
    let ui = use_ui();
    let t = ui.t();
    let load = ui.lenses.load.clone();
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

/// The split point. Its macro declares what the build puts in its place.
#[allow(unsafe_code)]
mod split {
    use wasm_split_helpers::{SplitLoaderError, wasm_split};

    /// Loads the file of the lenses, if it is not there, and gives what is in it.
    #[wasm_split(lens, fallible)]
    pub(super) fn open() -> Result<super::Show, SplitLoaderError> {
        Ok(super::views::show)
    }
}
