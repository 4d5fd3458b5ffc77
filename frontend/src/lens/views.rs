//! What the files that come later have: one arm a lens.

use yew::prelude::*;

use super::{Lens, Scene};
use crate::components::about::about;
use crate::components::birth_lens::birth_lens;
use crate::components::both::both;
use crate::components::cpu_lens::cpu_lens;
use crate::components::explain::explain;
use crate::components::forge::Forge;
use crate::components::groups::groups;
use crate::components::lab::Lab;
use crate::components::leaks::leaks;
use crate::components::machine::machine_tools;
use crate::components::matrix::matrix;
use crate::components::rosetta::rosetta;
use crate::components::start::why_not;
use crate::components::time_tools::TimeTools;
use crate::components::truth::truth;
use crate::components::uses::uses;
use crate::leaks::can_be_asked;
use crate::place::Place;
use crate::sim::Make;
use crate::sim::model::make;

/// Shows what is in the file of the lab.
pub(super) fn show_lab(scene: &Scene<'_>, lens: Lens) -> Html {
    match lens {
        Lens::Machine => machine_tools(scene),
        _ => html! { <Lab key="lab" state={scene.state} /> },
    }
}

/// Shows what is in the file of the lenses.
pub(super) fn show(scene: &Scene<'_>, lens: Lens) -> Html {
    match lens {
        Lens::About => about(scene),
        Lens::Groups => groups(scene),
        Lens::Matrix => matrix(scene),
        Lens::Both => both(scene),
        Lens::Uses => uses(scene),
        Lens::Rosetta => rosetta(scene),
        Lens::Cpu => cpu_lens(scene),
        // Of the other files.
        Lens::Lab
        | Lens::Machine
        | Lens::Forge
        | Lens::Truth
        | Lens::Birth
        | Lens::Leaks
        | Lens::Explain
        | Lens::Time => Html::default(),
    }
}

/// Makes the simulated server.
pub(super) const MODEL: Make = make;

/// Shows what is in the file of the simulator.
pub(super) fn show_time(scene: &Scene<'_>, _: Lens) -> Html {
    html! { <TimeTools key="time" act={scene.desk.act.clone()} /> }
}

/// Shows what is in the file of what is told of containers.
pub(super) fn show_told(scene: &Scene<'_>, lens: Lens) -> Html {
    match lens {
        Lens::Forge => forge(scene),
        Lens::Truth => truth(scene),
        Lens::Birth => birth_lens(scene),
        Lens::Leaks => leaks(scene, true),
        Lens::Explain => explain(scene),
        _ => Html::default(),
    }
}

fn forge(scene: &Scene<'_>) -> Html {
    let state = scene.state;
    // Of the container that runs, beside the switches of the next one.
    let evidence = state.container().filter(|one| can_be_asked(one)).map(|_| leaks(scene, false));
    html! {
        <Forge key="forge" evidence={evidence.unwrap_or_default()} machine={state.focus} host={state.host.clone()}
            why={why_not(state, scene.ui.t())} starting={state.is_starting()}
            cancel={scene.leave.clone()} trouble={state.troubles.get(&Place::Start).cloned()} />
    }
}
