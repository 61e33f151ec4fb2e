//! The memory of a process and of all it started.

/// Returns the resident memory in megabytes; `None` where the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn megabytes(pid: u32) -> Option<f64> {
    use std::collections::HashMap;

    let mut parents: HashMap<u32, (u32, u64)> = HashMap::new();
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may be gone by now, and one that is dead has no memory.
        let Ok(status) = std::fs::read_to_string(entry.path().join("status")) else { continue };
        let number = |field: &str| status.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse::<u64>().ok());
        if let Some(parent) = number("PPid:").and_then(|parent| u32::try_from(parent).ok()) {
            parents.insert(id, (parent, number("VmRSS:").unwrap_or(0)));
        }
    }
    let is_below = |mut id: u32| {
        // As deep as any tree of processes is.
        for _ in 0..64 {
            if id == pid {
                return true;
            }
            let Some((parent, _)) = parents.get(&id) else { return false };
            id = *parent;
        }
        false
    };
    let kilobytes: u64 = parents.iter().filter(|(id, _)| is_below(**id)).map(|(_, (_, kilobytes))| kilobytes).sum();
    let kilobytes = u32::try_from(kilobytes).ok().filter(|kilobytes| *kilobytes > 0)?;
    Some(f64::from(kilobytes) / 1024.0)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn megabytes(_: u32) -> Option<f64> {
    None
}
