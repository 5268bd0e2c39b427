//! The front door: a model from a path or bytes, decoded and ready to be analyzed.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use prost::Message;

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::onnx::ModelProto;

/// A decoded model. Its weights stay where they are: in the mapped file, or in the bytes it was read from.
#[derive(Debug, Clone)]
pub struct Model {
    /// The path as given, or `-` for bytes.
    pub path: String,
    /// Size of the file in bytes, external data not included.
    pub file_bytes: u64,
    /// The file as it is: the map, or what was read.
    pub bytes: Bytes,
    /// The decoded file.
    pub proto: ModelProto,
}

/// How a file begins that Git LFS leaves in the place of one that it keeps elsewhere.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

impl Model {
    /// Maps and decodes a file. External data is not opened.
    ///
    /// The file must not be truncated by another process while the model lives: reading past its end would end this
    /// process, as with every memory map. [`Model::read`] has no such condition.
    pub fn open(path: impl AsRef<Path>) -> Result<Model> {
        let path = path.as_ref();
        let label = path.display().to_string();
        let fail = |error: std::io::Error| Error::new(sentence(&error)).in_file(&label);
        let mut file = std::fs::File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if !metadata.is_file() || metadata.len() == 0 {
            // Pipes and devices cannot be mapped nor opened twice, and an empty map is refused by the system.
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(fail)?;
            return Model::decode(bytes.into(), label);
        }
        // SAFETY: the map is read-only; that nobody truncates the file meanwhile is the documented condition.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(fail)?;
        Model::decode(Bytes::from_owner(map), label)
    }

    /// Reads a whole file into memory and decodes it.
    pub fn read_file(path: impl AsRef<Path>) -> Result<Model> {
        let path = path.as_ref();
        let label = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| Error::new(sentence(&error)).in_file(&label))?;
        Model::decode(bytes.into(), label)
    }

    /// Decodes a model from bytes.
    pub fn read(bytes: impl Into<Bytes>) -> Result<Model> {
        Model::decode(bytes.into(), "-".to_string())
    }

    fn decode(bytes: Bytes, path: String) -> Result<Model> {
        let file_bytes = bytes.len() as u64;
        if bytes.is_empty() {
            return Err(Error::new("the file is empty").in_file(&path));
        }
        if bytes.starts_with(LFS) {
            let reason = "it is a pointer of Git LFS, not the model it stands for: fetch that with git lfs pull";
            return Err(Error::new(reason).in_file(&path));
        }
        let proto = ModelProto::decode(bytes.clone()).map_err(|error| {
            Error::new(format!("it is no ONNX model, or it is cut off: {}", decoding(&error))).in_file(&path)
        })?;
        Ok(Model { path, file_bytes, bytes, proto })
    }

    /// The model's graph, its functions inlined.
    pub fn graph(&self) -> Result<Graph<'_>> {
        Graph::new(&self.proto).map_err(|error| error.in_file(&self.path))
    }
}

/// The system's reason without its number and, where the system names a file, without that.
pub fn sentence(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// prost's reason without the path of fields that leads to it.
fn decoding(error: &prost::DecodeError) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to decode Protobuf message: ").unwrap_or(&text);
    let field = |part: &&str| part.contains('.') && !part.contains(' ');
    text.split(": ").skip_while(field).collect::<Vec<_>>().join(": ")
}
