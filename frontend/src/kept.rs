//! A choice of a view that stands in the link.

use gloo::events::EventListener;
use yew::prelude::*;

use crate::route::{self, Spot};

/// A choice that is read from the link, at first and whenever somebody changes the address, and
/// written to it when it is set.
#[hook]
pub(crate) fn use_kept<T>(read: fn(&Spot) -> T, write: fn(&mut Spot, &T)) -> (T, Callback<T>)
where
    T: Clone + PartialEq + 'static,
{
    let value = use_state_eq(|| read(&route::spot()));
    let set = value.setter();
    {
        let set = set.clone();
        use_effect_with((), move |()| {
            let window = web_sys::window().expect("a page has a window");
            let listener =
                EventListener::new(&window, "hashchange", move |_| set.set(read(&route::spot())));
            move || drop(listener)
        });
    }
    let keep = use_callback((), move |next: T, ()| {
        route::keep(|spot| write(spot, &next));
        set.set(next);
    });
    ((*value).clone(), keep)
}
