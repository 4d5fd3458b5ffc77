//! Close samples go past the state: several a second are for a picture, not for the virtual DOM.

use std::cell::RefCell;
use std::rc::Rc;

use vitrine_shared::focus::CpuSample;
use vitrine_shared::uses::UseSample;

/// What is read when a page looks closely at a group.
#[derive(Debug)]
pub(crate) enum Near {
    /// Its CPU.
    Cpu(CpuSample),
    /// Its memory, processes and devices.
    Use(Box<UseSample>),
}

type Listener = Rc<dyn Fn(Near)>;

thread_local! {
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Listens for as long as it lives. A page looks closely at one group, so there is one listener.
pub(crate) struct Tap(Listener);

impl Tap {
    /// Hears every sample from now on.
    pub(crate) fn new(hear: impl Fn(Near) + 'static) -> Self {
        let listener: Listener = Rc::new(hear);
        LISTENER.with(|slot| *slot.borrow_mut() = Some(Rc::clone(&listener)));
        Tap(listener)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        LISTENER.with(|slot| {
            let mut slot = slot.borrow_mut();
            if slot.as_ref().is_some_and(|listener| Rc::ptr_eq(listener, &self.0)) {
                *slot = None;
            }
        });
    }
}

/// Hands a sample to whoever listens.
pub(crate) fn hand_on(sample: Near) {
    // Taken out first: the listener may end itself.
    let listener = LISTENER.with(|slot| slot.borrow().clone());
    if let Some(hear) = listener {
        hear(sample);
    }
}
