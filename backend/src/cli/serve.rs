//! `vitrine serve`: its flags, and what they mean.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use vitrine_shared::message::Profile;

use super::limits::LimitArgs;
use crate::config::Setting;
use crate::launcher::serve::{self, Limits};
use crate::web::checked_origin;

/// `vitrine serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vitrine serve                                 # prints one URL with a one-time token
  vitrine serve --listen 127.0.0.1:0            # a free port
  vitrine serve --profile lab                   # for a class of people you know
  vitrine serve --listen 0.0.0.0:443 --allowed-origin https://lab.example.org --tls-cert lab.crt --tls-key lab.key
  vitrine serve --allowed-origin https://lab.example.org --trusted-proxy 127.0.0.1
  vitrine serve --config lab.toml --print-config

Every flag is also a variable (VITRINE_…, named above) and a key of the file of --config.
A flag wins over the variable, and that over the file. Without --config the file
/etc/vitrine/vitrine.toml is read if it is there (for an ordinary user
$XDG_CONFIG_HOME/vitrine/vitrine.toml). docs/vitrine.toml.example has every key.")]
pub struct Serve {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:7878",
        env = "VITRINE_LISTEN",
        value_parser = socket_address
    )]
    listen: SocketAddr,
    /// Where images are kept: as root /var/lib/vitrine, else ~/.local/share/vitrine, when not given.
    #[arg(long, value_name = "DIR", env = "VITRINE_DATA")]
    data: Option<PathBuf>,
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
    #[arg(
        long = "allowed-origin",
        value_name = "ORIGIN",
        env = "VITRINE_ALLOWED_ORIGIN",
        value_delimiter = ',',
        value_parser = checked_origin
    )]
    allowed_origins: Vec<String>,
    /// A proxy, or a network of them, whose X-Forwarded-For, X-Forwarded-Proto and Forwarded are
    /// believed; from anybody else they are ignored.
    #[arg(
        long = "trusted-proxy",
        value_name = "ADDR|CIDR",
        env = "VITRINE_TRUSTED_PROXY",
        value_delimiter = ',',
        value_parser = proxy
    )]
    trusted_proxies: Vec<IpNet>,
    /// Speak TLS with this certificate (PEM, with those between it and the authority). SIGHUP
    /// reads it and the key again; a pair that cannot be used changes nothing and is logged.
    #[arg(long, value_name = "FILE", env = "VITRINE_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM, without a passphrase).
    #[arg(long, value_name = "FILE", env = "VITRINE_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Serve the page from this directory and not from the binary (for development).
    #[arg(long, value_name = "DIR", env = "VITRINE_ASSETS")]
    assets: Option<PathBuf>,
    /// What to log: error, warn, info, debug, or a filter such as vitrine=debug.
    #[arg(long, value_name = "FILTER", default_value = "warn", env = "VITRINE_LOG", value_parser = log_filter)]
    pub log: String,
    /// Read settings from this TOML file.
    #[arg(long, value_name = "FILE", env = "VITRINE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Print the settings in force, each with where it came from, and end.
    #[arg(long)]
    pub print_config: bool,
    #[command(flatten)]
    limits: LimitArgs,
    /// The settings in force.
    #[arg(skip)]
    pub settings: Vec<Setting>,
}

impl Serve {
    /// The limits of machines.
    pub(super) fn limits(&self) -> Limits {
        (&self.limits).into()
    }
}

/// Where to listen.
fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let example = "an address and a port are such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:80";
    text.parse().map_err(|_| example.into())
}

/// One address, or a network.
fn proxy(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from).ok();
    let network = text.parse().ok().or_else(address);
    network.ok_or_else(|| "an address or a network is such as 10.0.0.5 or 10.0.0.0/8".into())
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

/// A filter of the log, as `tracing` reads it.
fn log_filter(text: &str) -> Result<String, String> {
    let wrong = |err| format!("{err}; write error, warn, info, debug, or vitrine=debug");
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_string()).map_err(wrong)
}

impl From<&Serve> for serve::Options {
    fn from(args: &Serve) -> Self {
        serve::Options {
            listen: args.listen,
            data: args.data.clone(),
            profile: args.profile.into(),
            limits: args.limits(),
            allowed_origins: args.allowed_origins.clone(),
            trusted_proxies: args.trusted_proxies.clone(),
            tls_cert: args.tls_cert.clone(),
            tls_key: args.tls_key.clone(),
            assets: args.assets.clone(),
            log: args.log.clone(),
        }
    }
}
