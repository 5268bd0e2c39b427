//! What went wrong, as one sentence: file, node, reason, way on.

/// Why a model could not be analyzed, or a request not be carried out.
///
/// Prints as `mobilenet.onnx: node "Conv_3" (Conv): the weight needs rank 4, it has 3`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}{}{reason}", self.file(), self.place())]
pub struct Error {
    /// The file, as it was given.
    pub path: Option<String>,
    /// The node's name and operator type.
    pub node: Option<(String, String)>,
    /// What is wrong, and where one can be named, a way on.
    pub reason: String,
}

/// The result of everything that reads or judges a model.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that has no place yet.
    pub fn new(reason: impl Into<String>) -> Error {
        Error { path: None, node: None, reason: reason.into() }
    }

    /// The same error with the file it concerns, unless it names one.
    pub fn in_file(mut self, path: &str) -> Error {
        self.path.get_or_insert_with(|| path.to_string());
        self
    }

    /// The same error where the file is named otherwise.
    pub fn without_file(self) -> Error {
        Error { path: None, ..self }
    }

    /// The same error with the node it concerns, unless it names one.
    pub fn at_node(mut self, name: &str, op_type: &str) -> Error {
        self.node.get_or_insert_with(|| (name.to_string(), op_type.to_string()));
        self
    }

    fn file(&self) -> String {
        self.path.as_ref().map(|path| format!("{path}: ")).unwrap_or_default()
    }

    fn place(&self) -> String {
        let place = |(name, op_type): &(String, String)| format!("node \"{}\" ({}): ", short(name), short(op_type));
        self.node.as_ref().map(place).unwrap_or_default()
    }
}

/// A name as it is, or the ends of one that no screen can show: names in functions hold those of all calls before them.
fn short(name: &str) -> std::borrow::Cow<'_, str> {
    const END: usize = 120;
    let count = name.chars().count();
    if count <= 2 * END {
        return name.into();
    }
    name.chars().take(END).chain(['…']).chain(name.chars().skip(count - END)).collect()
}
