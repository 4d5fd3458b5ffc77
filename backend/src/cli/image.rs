//! `vitrine image`: the root file systems that containers can have.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::launcher::image;
use crate::launcher::privilege::{self, Privilege};

/// `vitrine image`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vitrine image add debian ./rootfs
  vitrine image list
  vitrine image remove debian")]
pub struct Image {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Add an image under a name, from a directory or an archive.
    #[command(after_help = "\
SOURCE is told by its contents, not by its name:
  a directory                     its files are copied
  a tar (plain, gzip, zstd)       such as `docker export` writes
  an OCI image layout             a directory, or a tar of one
  an archive of `docker save`

It is unpacked behind a wall, whoever made it: nothing is written outside the image, device nodes,
pipes and sockets are left out, setuid bits and file capabilities are cleared, digests are compared.
The image appears whole or not at all. NAME: 1 to 64 of a-z, 0-9, '.', '_' and '-'.

Examples:
  vitrine image add debian ./rootfs             # what debootstrap or mmdebstrap has made
  docker save alpine | gzip > alpine.tar.gz; vitrine image add alpine alpine.tar.gz
  skopeo copy docker://alpine oci:alpine; vitrine image add alpine ./alpine
  vitrine run --rootfs alpine -it -- sh")]
    Add {
        /// What to call it.
        name: String,
        /// A directory, a tar, an OCI image layout, or an archive of `docker save`.
        source: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// List the images, those of Vitrine's own first.
    #[command(after_help = "\
With --json, an array of objects, one an image:
  name, kind (busybox, lab, directory, tar, oci, docker), made (is it unpacked already), bytes,
  files, added_msec, digest, command, env, user, working_dir, left_out (counts), and for lab
  busybox (tools that busybox answers for) and missing (tools that this host lacks).

Example:
  vitrine image list --json | jq -r '.[] | select(.name == \"lab\") | .missing[]'")]
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Remove an image that was added.
    #[command(after_help = "\
A container that runs in it keeps its files: they are deleted when nobody uses them any more. No new
one can be started from it.

Example:
  vitrine image remove alpine")]
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// Say what was done as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: Data,
}

#[derive(Debug, Args)]
struct Data {
    /// Where images are kept; when not given, `data` of the file of settings (vitrine serve --help
    /// says which), else as root /var/lib/vitrine, for others ~/.local/share/vitrine.
    #[arg(long, value_name = "DIR", env = "VITRINE_DATA")]
    data: Option<PathBuf>,
}

impl Data {
    fn directory(&self) -> PathBuf {
        let own = || Privilege::foresee(&privilege::Host::default()).data_directory();
        self.data.clone().unwrap_or_else(own)
    }
}

/// Does it, and gives what there is to say, with its last line ended.
pub fn image(args: &Image) -> anyhow::Result<String> {
    Ok(said(args)? + "\n")
}

fn said(args: &Image) -> anyhow::Result<String> {
    match &args.command {
        ImageCommand::Add { name, source, common } => {
            let row = image::add(&common.data.directory(), name, source)?;
            if common.json { json(&row) } else { Ok(added_text(&row)) }
        }
        ImageCommand::List { json: as_json, data } => {
            let rows = image::list(&data.directory());
            if *as_json { json(&rows) } else { Ok(table(&rows)) }
        }
        ImageCommand::Remove { name, common } => {
            let deleted = image::remove(&common.data.directory(), name)?;
            if common.json {
                return json(&serde_json::json!({ "removed": name, "deleted": deleted }));
            }
            Ok(match deleted {
                true => format!("removed {name}"),
                false => format!(
                    "removed {name}; something runs in it, and its files are deleted when nothing does any more"
                ),
            })
        }
    }
}

fn json(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}

fn added_text(row: &image::Row) -> String {
    let mut text = format!(
        "added {} ({}): {} files, {}",
        row.name,
        row.kind,
        row.files.unwrap_or(0),
        size(row.bytes.unwrap_or(0))
    );
    for (what, count) in &row.left_out {
        text.push_str(&format!("\n  {count} {what}"));
    }
    match row.command.is_empty() {
        true => text.push_str(&format!("\nvitrine run --rootfs {} -it -- /bin/sh", row.name)),
        false => text.push_str(&format!(
            "\nvitrine run --rootfs {} -it     # runs {}",
            row.name,
            row.command.join(" ")
        )),
    }
    text
}

fn table(rows: &[image::Row]) -> String {
    let mut text = format!("{:<24} {:<10} {:>9} {:>8}  COMMAND", "NAME", "KIND", "SIZE", "FILES");
    for row in rows {
        let (bytes, files) = match (row.bytes, row.files) {
            (Some(bytes), Some(files)) => (size(bytes), files.to_string()),
            _ => ("not made".into(), "-".into()),
        };
        let command: String = row.command.join(" ").chars().take(60).collect();
        let line = format!("\n{:<24} {:<10} {bytes:>9} {files:>8}  {command}", row.name, row.kind);
        text.push_str(line.trim_end());
        if !row.missing.is_empty() {
            text.push_str(&format!("\n  not on this host: {}", row.missing.join(" ")));
        }
    }
    text
}

/// `34.9 MB`, as `docker image ls` writes it.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 || unit == "GB" {
            let digits = usize::from(unit != "B" && value < 100.0);
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_500, "1.5 kB"),
            (34_887_400, "34.9 MB"),
            (340_000_000, "340 MB"),
            (4 << 30, "4.3 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
