//! What only the file of the lenses has: one arm a lens.

use yew::prelude::*;

use super::{Lens, Scene};
use crate::components::about::about;
use crate::components::cpu_lens::cpu_lens;
use crate::components::forge::Forge;
use crate::components::rosetta::rosetta;
use crate::components::start::why_not;
use crate::place::Place;

/// Shows a lens.
pub(super) fn show(scene: &Scene<'_>, lens: Lens) -> Html {
    match lens {
        Lens::About => about(scene),
        Lens::Forge => forge(scene),
        Lens::Rosetta => rosetta(scene),
        Lens::Cpu => cpu_lens(scene),
    }
}

fn forge(scene: &Scene<'_>) -> Html {
    let state = scene.state;
    html! {
        <Forge key="forge" machine={state.focus} host={state.host.clone()}
            why={why_not(state, scene.ui.t())} starting={state.is_starting()}
            cancel={scene.leave.clone()} trouble={state.troubles.get(&Place::Start).cloned()} />
    }
}
