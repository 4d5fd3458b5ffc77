//! Embeds the built page (`target/web-dist`) into the binary. To come.

/// Writes the table of assets for `web::assets`.
pub(crate) fn embed() {}
