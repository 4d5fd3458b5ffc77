//! `vitrine namespaces`: its flags.

use clap::{Args, ValueEnum};
use vitrine_shared::namespace::Namespace;

use crate::views::namespaces;

/// A type, named as below `/proc/PID/ns`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Type {
    /// Process ids.
    Pid,
    /// Mount points.
    #[value(alias = "mount")]
    Mnt,
    /// Host name.
    Uts,
    /// System V IPC and message queues.
    Ipc,
    /// User and group ids.
    User,
    /// Network devices.
    Net,
    /// The root of the cgroup hierarchy.
    Cgroup,
    /// Clock offsets.
    Time,
}

/// `vitrine namespaces`.
#[derive(Debug, Args)]
#[command(after_help = "\
Besides the namespaces that processes are in, it finds those that only a mount, a descriptor, a
process's future children or another namespace holds; COMMAND says so in brackets.
PID is the lowest in the namespace; OWNER is the user namespace whose capabilities count there
(for a user namespace its parent), and OWNER-UID the user who made that one.

Examples:
  vitrine namespaces                            # all eight types
  vitrine namespaces --type net --type user
  vitrine namespaces --json | jq '.namespaces[] | select(.processes == 0)'")]
pub struct Namespaces {
    /// Only this type; may be given several times [default: all eight].
    #[arg(short = 't', long = "type", value_enum, value_name = "TYPE")]
    types: Vec<Type>,
    /// Leave out the line with the names of the columns.
    #[arg(long)]
    no_headers: bool,
    /// Print JSON; docs/cli-json.md says what each field is.
    #[arg(long)]
    json: bool,
}

impl From<&Namespaces> for namespaces::Options {
    fn from(args: &Namespaces) -> Self {
        let types = args.types.iter().map(|kind| match kind {
            Type::Pid => Namespace::Pid,
            Type::Mnt => Namespace::Mount,
            Type::Uts => Namespace::Uts,
            Type::Ipc => Namespace::Ipc,
            Type::User => Namespace::User,
            Type::Net => Namespace::Net,
            Type::Cgroup => Namespace::Cgroup,
            Type::Time => Namespace::Time,
        });
        namespaces::Options { json: args.json, no_headers: args.no_headers, types: types.collect() }
    }
}
