//! `vitrine serve`: its flags, and what they mean.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use vitrine_shared::message::Profile;

use crate::launcher::serve;

/// `vitrine serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vitrine serve                                 # prints one URL with a one-time token
  vitrine serve --listen 127.0.0.1:0            # a free port
  vitrine serve --profile lab                   # for a class of people you know")]
pub struct Serve {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:7878",
        env = "VITRINE_LISTEN"
    )]
    listen: SocketAddr,
    /// Where images are kept.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/vitrine", env = "VITRINE_DATA")]
    data: PathBuf,
    /// What machines let their owners do: `lab` is for people you know (mount, unshare, hostname
    /// and the machine's own cgroups, in a shell of the machine), and offers both.
    #[arg(
        long,
        value_name = "PROFILE",
        value_enum,
        default_value = "strict",
        env = "VITRINE_PROFILE"
    )]
    profile: ProfileArg,
    /// One more origin that pages may come from, such as `https://lab.example.org` (behind a proxy).
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<String>,
    /// Serve the page from this directory and not from the binary (for development).
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
    /// What to log: error, warn, info, debug, or a filter such as vitrine=debug.
    #[arg(long, value_name = "FILTER", default_value = "warn", env = "VITRINE_LOG")]
    pub log: String,
}

/// A profile by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProfileArg {
    /// For everybody, strangers too.
    Strict,
    /// For people you know.
    Lab,
}

impl From<ProfileArg> for Profile {
    fn from(arg: ProfileArg) -> Self {
        match arg {
            ProfileArg::Strict => Profile::Strict,
            ProfileArg::Lab => Profile::Lab,
        }
    }
}

impl From<&Serve> for serve::Options {
    fn from(args: &Serve) -> Self {
        serve::Options {
            listen: args.listen,
            data: args.data.clone(),
            profile: args.profile.into(),
            allowed_origins: args.allowed_origins.clone(),
            assets: args.assets.clone(),
            log: args.log.clone(),
        }
    }
}
