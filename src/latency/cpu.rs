//! The CPU's name.

/// As the system gives it; where it gives none, architecture and system.
pub fn name() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let entry = |key: &str| {
        let line = info.lines().find_map(|line| line.split_once(':').filter(|(name, _)| name.trim() == key));
        line.map(|(_, value)| value.to_string())
    };
    let board = || Some(read("/sys/firmware/devicetree/base/model"));
    let names = [entry("model name"), entry("Hardware"), board()];
    let clean = |name: String| name.split_whitespace().collect::<Vec<_>>().join(" ").replace('\0', "");
    let known = names.into_iter().flatten().map(clean).find(|name| !name.is_empty());
    known.unwrap_or_else(|| format!("{} ({})", std::env::consts::ARCH, std::env::consts::OS))
}
