//! The commands, a file each: its arguments and what it does with them.

pub(crate) mod annotate;
pub(crate) mod bless;
mod chart;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod correlate;
pub(crate) mod diff;
mod host;
pub(crate) mod init;
pub(crate) mod lint;
pub(crate) mod measure;
mod models;
pub(crate) mod report;
mod shared;
pub(crate) mod verify;

/// Writes to standard output.
pub(crate) fn print(text: &str) -> lwstat::Result<bool> {
    shared::emit(text, None).map(|()| true)
}
