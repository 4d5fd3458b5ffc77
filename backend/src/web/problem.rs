//! Errors over HTTP: a status, what is wrong, and what to do, as JSON.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A refusal that says what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// What is wrong.
    pub(crate) error: String,
    /// What to do.
    pub(crate) hint: String,
}

impl Problem {
    /// A problem from its three parts.
    pub(crate) fn new(
        status: StatusCode,
        error: impl Into<String>,
        hint: impl Into<String>,
    ) -> Problem {
        Problem { status, error: error.into(), hint: hint.into() }
    }
}

#[derive(Serialize)]
struct Body {
    error: String,
    hint: String,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(Body { error: self.error, hint: self.hint })).into_response()
    }
}
