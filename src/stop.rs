//! Why an operator, or an attribute that it reads, could not say what it was asked.

/// Why an operator could not say what it was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// Something that it needs is not known before the model runs: the account goes on, and says so.
    Unknown,
    /// The call breaks the operator's specification: the reason, in words.
    Invalid(String),
}

impl From<String> for Stop {
    fn from(reason: String) -> Stop {
        Stop::Invalid(reason)
    }
}

impl From<&str> for Stop {
    fn from(reason: &str) -> Stop {
        Stop::Invalid(reason.to_string())
    }
}

/// What an operator answers.
pub type Result<T> = std::result::Result<T, Stop>;

/// The answer to a call that breaks the specification.
pub fn invalid<T>(reason: impl Into<String>) -> Result<T> {
    Err(Stop::Invalid(reason.into()))
}
