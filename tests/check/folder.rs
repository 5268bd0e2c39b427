//! A folder for one test, and lwstat run in it.

use std::path::PathBuf;
use std::process::Command;

use prost::Message;

pub(crate) struct Folder(tempfile::TempDir);

/// What a run printed, and its exit code.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn code(&self, code: i32) -> &Ran {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Whether it is printed, on whatever lines.
    fn has(&self, text: &str) -> bool {
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        plain(&self.stdout).contains(&plain(text)) || plain(&self.stderr).contains(&plain(text))
    }

    pub(crate) fn says(&self, text: &str) -> &Ran {
        assert!(self.has(text), "nothing says {text}:\n{}\n{}", self.stdout, self.stderr);
        self
    }

    pub(crate) fn says_not(&self, text: &str) -> &Ran {
        assert!(!self.has(text), "{text} is said:\n{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes a model of a line of text.
    pub(crate) fn model(&self, name: &str, text: &str) {
        self.write(name, crate::common::model(text).encode_to_vec());
    }

    /// Copies a file of the project.
    pub(crate) fn copy(&self, from: &str, to: &str) {
        std::fs::copy(format!("{}/{from}", env!("CARGO_MANIFEST_DIR")), self.path(to)).unwrap();
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in("", arguments)
    }

    pub(crate) fn run_in(&self, below: &str, arguments: &[&str]) -> Ran {
        self.run_with(below, arguments, &[])
    }

    pub(crate) fn run_with(&self, below: &str, arguments: &[&str], env: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lwstat"));
        command.args(arguments).current_dir(self.path(below)).env("COLUMNS", "400");
        command.env_remove("GITHUB_STEP_SUMMARY").env_remove("GITHUB_ACTIONS");
        command.env_remove("GITHUB_WORKSPACE").env_remove("CI_PROJECT_DIR").envs(env.iter().copied());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ran { code: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// What a run prints, as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.run(arguments).stdout).unwrap()
    }

    /// Makes it a git repository; false where there is no git.
    pub(crate) fn is_repository(&self) -> bool {
        let init = Command::new("git").args(["init", "-q"]).current_dir(self.0.path()).status();
        init.is_ok_and(|status| status.success())
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let own = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").args(own).args(arguments).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A network of four inverted residuals on 8 channels of 16 × 16, expanded to these widths.
pub(crate) fn net(widths: [usize; 4]) -> String {
    let mut text = "in x0 f32[1,8,16,16]".to_string();
    for (at, width) in widths.iter().enumerate() {
        let next = at + 1;
        text += &format!(
            "; init e{at} f32[{width},8,1,1]; init p{at} f32[8,{width},1,1]; \
             stage{at}_expand=Conv x{at} e{at} -> a{at}; stage{at}_act=Relu a{at} -> b{at}; \
             stage{at}_project=Conv b{at} p{at} -> c{at}; stage{at}_add=Add c{at} x{at} -> x{next}"
        );
    }
    text + "; out x4"
}

/// The same network with other names, as another exporter would give.
pub(crate) fn renamed(net: &str) -> String {
    let names = [("stage", "node_"), ("_expand", "_conv"), ("_project", "_conv_b"), ("a0", "val_0"), ("x2", "add_2")];
    names.iter().fold(net.to_string(), |text, (old, new)| text.replace(old, new))
}
