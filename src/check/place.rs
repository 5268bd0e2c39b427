//! Where files stand for the systems that show reports: from the root of the repository.

use std::path::{Component, Path, PathBuf};

/// The folders that paths are from. By default both are the same.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The working directory, which paths of an outcome are from.
    pub here: PathBuf,
    /// The root of the repository.
    pub root: PathBuf,
}

impl Place {
    /// The nearest folder from here upwards that holds `.git` is the root; else the first of these workspaces that is
    /// here or above; else here.
    pub fn find(here: &Path, workspaces: &[PathBuf]) -> Place {
        let repository = here.ancestors().find(|folder| folder.join(".git").exists());
        let above = || workspaces.iter().map(PathBuf::as_path).find(|folder| here.starts_with(folder));
        let root = repository.or_else(above).unwrap_or(here);
        Place { here: here.to_path_buf(), root: root.to_path_buf() }
    }

    /// The path of a file from the root, with `/` between folders; an absolute one for a file outside.
    pub fn from_root(&self, file: &str) -> String {
        let mut path = PathBuf::new();
        for part in self.here.join(file).components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir if path.pop() => {}
                Component::ParentDir => return file.to_string(),
                part => path.push(part),
            }
        }
        match path.strip_prefix(&self.root) {
            Ok(inside) if inside.is_relative() => {
                inside.iter().map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
            }
            _ => path.to_string_lossy().into_owned(),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn files_are_from_the_root() {
        for (here, root, file, shown) in [
            ("/r", "/r", "net.onnx", "net.onnx"),
            ("/r/ml", "/r", "net.onnx", "ml/net.onnx"),
            ("/r/ml", "/r", "./a/../net.onnx", "ml/net.onnx"),
            ("/r/ml", "/r", "../graphs/net.onnx", "graphs/net.onnx"),
            ("/r/ml", "/r", "/r/net.onnx", "net.onnx"),
            ("/r/ml", "/r", "../../net.onnx", "/net.onnx"),
            ("/r/ml", "/r", "/s/net.onnx", "/s/net.onnx"),
            ("", "", "a/net.onnx", "a/net.onnx"),
            ("", "", "../net.onnx", "../net.onnx"),
            ("", "", "/s/net.onnx", "/s/net.onnx"),
        ] {
            let place = Place { here: here.into(), root: root.into() };
            assert_eq!(place.from_root(file), shown, "{file} in {here} of {root}");
        }
    }
}
