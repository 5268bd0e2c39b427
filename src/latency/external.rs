//! A model's external data: read where it is whole and lies in the model's own folder, and nowhere else.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use crate::model::Model;
use crate::onnx::TensorProto;

/// What there is of a tensor's data.
pub(super) enum Data {
    /// All of it.
    Whole(Vec<u8>),
    /// Its file ends before it: so many bytes are there, so many are needed.
    Short { location: String, has: u64, needed: u64 },
    /// No file.
    Missing,
}

/// The folder that a model's external data may lie in.
pub(super) struct Folder(Option<PathBuf>);

impl Folder {
    /// The folder of the model's file; none for a model from bytes.
    pub(super) fn of(model: &Model) -> Folder {
        let path = Path::new(&model.path);
        let parent = path.parent().filter(|_| model.path != "-");
        let parent = parent.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        Folder(parent.and_then(|folder| folder.canonicalize().ok()))
    }

    /// The data of a tensor of so many bytes.
    pub(super) fn data(&self, tensor: &TensorProto, bytes: usize) -> Data {
        self.found(tensor, bytes).unwrap_or(Data::Missing)
    }

    fn found(&self, tensor: &TensorProto, bytes: usize) -> Option<Data> {
        let folder = self.0.as_ref()?;
        let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let location = Path::new(entry("location")?);
        // A file may name any path: absolute ones, ones that climb, and links that lead out are not followed.
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if !location.components().all(plain) {
            return None;
        }
        let path = folder.join(location).canonicalize().ok().filter(|path| path.starts_with(folder))?;
        let mut file = File::open(path).ok()?;
        let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let offset: u64 = entry("offset").map_or(Some(0), |text| text.parse().ok())?;
        let needed = offset.checked_add(bytes as u64)?;
        if needed > metadata.len() {
            return Some(Data::Short { location: location.display().to_string(), has: metadata.len(), needed });
        }
        file.seek(SeekFrom::Start(offset)).ok()?;
        let mut data = vec![0; bytes];
        file.read_exact(&mut data).ok()?;
        Some(Data::Whole(data))
    }
}
