//! `vitrine top`.
