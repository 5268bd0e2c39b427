//! A model's external data: read where it is whole and lies in the model's own folder, and nowhere else.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use crate::model::Model;
use crate::onnx::TensorProto;

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

    /// The data of a tensor of so many bytes; `None` where they are not there.
    pub(super) fn data(&self, tensor: &TensorProto, bytes: usize) -> Option<Vec<u8>> {
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
        if offset.checked_add(bytes as u64)? > metadata.len() {
            return None;
        }
        file.seek(SeekFrom::Start(offset)).ok()?;
        let mut data = vec![0; bytes];
        file.read_exact(&mut data).ok()?;
        Some(data)
    }
}
