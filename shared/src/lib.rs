//! The words both ends of Vitrine speak, and the pure models behind the pictures.
//!
//! In reading order:
//!
//! 1. [`id`]: who is who, by globally unique ids
//! 2. [`namespace`]: the eight types, their letters and flags
//! 3. [`spec`]: what a container should be, checked
//! 4. [`limits`]: every bound on what a participant can use, with its name and default
//! 5. [`cgroup`]: controllers, knobs and files, in both dialects
//! 6. [`process`]: one process as the kernel tells it
//! 7. [`discovery`]: the namespaces of a machine, looked at closely
//! 8. [`role`]: who may do what
//! 9. [`message`]: commands, answers and events
//! 10. [`refusal`]: why a command was not done, and what helps
//! 11. [`wire`]: how they look on a WebSocket
//! 12. `schema` (a feature): the same for other languages, as JSON Schema
//! 13. [`terminal`]: the frames of a terminal's own socket
//! 14. [`rosetta`]: every v1 file beside its v2 form, values turned both ways
//! 15. [`focus`]: one group looked at closely: its CPU, read some twenty times a second
//! 16. [`uses`]: its memory, processes and devices, four times a second
//! 17. [`cpu`]: what readings of the CPU tell, measured and modelled
//! 18. [`truth`]: which numbers in a container are the host's, and what mends them
//! 19. [`script`]: what was done, as a shell script that does it again
//! 20. [`birth`]: what there was after each step of a birth
//! 21. [`check`]: which commands a server passes on
//! 22. [`sim`]: the simulated machine, and the model that plays on the start page
//!
//! **Invariant:** nothing here does I/O, reads a clock or depends on a platform.

#![forbid(unsafe_code)]

pub mod birth;
pub mod cgroup;
pub mod check;
pub mod cpu;
pub mod discovery;
pub mod focus;
pub mod id;
pub mod leaks;
pub mod limits;
pub mod message;
pub mod namespace;
pub mod process;
pub mod refusal;
pub mod role;
pub mod rosetta;
#[cfg(feature = "schema")]
pub mod schema;
pub mod script;
pub mod sim;
pub mod spec;
pub mod terminal;
pub mod truth;
pub mod uses;
pub mod wire;
