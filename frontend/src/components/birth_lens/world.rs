//! What there is after a step: a tile an object, in a place that it keeps, and the same as a table.

use vitrine_shared::birth::{Change, Frame, Object, Origin, What};
use vitrine_shared::namespace::Namespace;
use yew::prelude::*;

use super::super::parts::letter;
use crate::text::birth as words;
use crate::ui::Ui;

/// Objects that are shown together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shelf {
    Who,
    Sees,
    Uses,
    Files,
    May,
}

const SHELVES: [Shelf; 5] = [Shelf::Who, Shelf::Sees, Shelf::Files, Shelf::May, Shelf::Uses];

impl Shelf {
    fn of(what: What) -> Self {
        match what {
            What::Process | What::User => Shelf::Who,
            What::Namespace(_) | What::Ids | What::Hostname | What::Loopback | What::Clocks => {
                Shelf::Sees
            }
            What::Group | What::Limits => Shelf::Uses,
            What::Root | What::Dev | What::Proc | What::Hierarchies | What::Descriptors => {
                Shelf::Files
            }
            What::Capabilities | What::Seccomp => Shelf::May,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Shelf::Who => "who",
            Shelf::Sees => "sees",
            Shelf::Uses => "uses",
            Shelf::Files => "files",
            Shelf::May => "may",
        }
    }
}

/// The objects after the step at `at`.
pub(super) fn world(ui: &Ui, frames: &[Frame<'_>], at: usize, seen: bool) -> Html {
    let t = words::words(ui.lang);
    let (Some(now), Some(last)) = (frames.get(at), frames.last()) else { return html! { <div /> } };
    let title = |shelf| match shelf {
        Shelf::Who => t.who,
        Shelf::Sees => t.sees,
        Shelf::Uses => t.uses,
        Shelf::Files => t.files,
        Shelf::May => t.may,
    };
    html! {
        <div class="birth-world" aria-label={t.world} role="group" data-test="birth-world">
            {for SHELVES.into_iter().map(|shelf| html! {
                <section key={shelf.name()} class={classes!("birth-shelf", format!("shelf-{}", shelf.name()))}>
                    <h3>{title(shelf)}</h3>
                    <ul class="tiles">
                        // Whatever is there in the end has its place from the beginning.
                        {for last.objects.iter().filter(|one| Shelf::of(one.what) == shelf).map(|one| {
                            tile(ui, one.what, now.objects.iter().find(|object| object.what == one.what))
                        })}
                    </ul>
                </section>
            })}
            <ul class="birth-legend muted">
                <li class="legend-new">{t.key_new}</li>
                <li class="legend-changed">{t.key_changed}</li>
                <li class="legend-modelled">{t.key_modelled}</li>
            </ul>
            <p class="muted">{if seen { t.seen } else { t.not_seen }}</p>
            {table(ui, now)}
        </div>
    }
}

fn tile(ui: &Ui, what: What, object: Option<&Object>) -> Html {
    let t = words::words(ui.lang);
    let key = format!("{what:?}");
    let hue = match what {
        What::Namespace(kind) => Some(kind),
        What::Ids | What::User => Some(Namespace::User),
        What::Hostname => Some(Namespace::Uts),
        What::Loopback => Some(Namespace::Net),
        What::Clocks => Some(Namespace::Time),
        _ => None,
    };
    let sign = match what {
        What::Namespace(kind) => letter(kind),
        _ => Html::default(),
    };
    let (class, marks, state) = match object {
        None => ("is-absent", Html::default(), t.absent.to_owned()),
        Some(object) => {
            (mark(object.change), marks(ui, object), words::state(ui.lang, &object.state))
        }
    };
    let modelled = object.is_some_and(|object| object.origin == Origin::Modelled);
    let class = classes!(
        "tile",
        class,
        modelled.then_some("is-modelled"),
        hue.map(|kind| format!("ns-{}", kind.option())),
    );
    html! {
        <li {key} {class} data-what={format!("{what:?}")}>
            <span class="tile-head">{sign}<b>{words::what(ui.lang, what)}</b>{marks}</span>
            <span class="tile-state">{state}</span>
        </li>
    }
}

fn mark(change: Change) -> &'static str {
    match change {
        Change::New => "is-new",
        Change::Changed => "is-changed",
        Change::Same => "is-same",
    }
}

/// What the step did to it, and whether that is only modelled: signs and words, not colour alone.
fn marks(ui: &Ui, object: &Object) -> Html {
    let sign = match object.change {
        Change::New => "＋ ",
        Change::Changed => "△ ",
        Change::Same => "",
    };
    let told = object.change != Change::Same;
    html! {
        <>
            {told.then(|| html! {
                <span class="tile-change"><span aria-hidden="true">{sign}</span>{words::change(ui.lang, object.change)}</span>
            })}
            {(object.origin == Origin::Modelled).then(|| html! {
                <span class="tile-origin">{words::origin(ui.lang, object.origin)}</span>
            })}
        </>
    }
}

fn table(ui: &Ui, frame: &Frame<'_>) -> Html {
    let t = words::words(ui.lang);
    html! {
        <details class="birth-details">
            <summary data-test="birth-as-table">{t.table}</summary>
            <div class="birth-table" tabindex="0" role="group" aria-label={t.table}>
                <table>
                    <thead><tr>
                        <th scope="col">{t.object}</th><th scope="col">{t.state}</th>
                        <th scope="col">{t.change}</th><th scope="col">{t.origin}</th>
                    </tr></thead>
                    <tbody>{for frame.objects.iter().map(|object| html! {
                        <tr key={format!("{:?}", object.what)}>
                            <th scope="row">{words::what(ui.lang, object.what)}</th>
                            <td>{words::state(ui.lang, &object.state)}</td>
                            <td>{words::change(ui.lang, object.change)}</td>
                            <td>{words::origin(ui.lang, object.origin)}</td>
                        </tr>
                    })}</tbody>
                </table>
            </div>
        </details>
    }
}
