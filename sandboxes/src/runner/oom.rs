//! Processes the kernel ended in this container for want of memory, as its control group counts them.

/// Where each version of control groups keeps the count.
const COUNTS: [&str; 2] = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];
/// The line that holds it.
const LINE: &str = "oom_kill ";

/// How many there were so far; none where nobody counts.
pub(super) fn kills() -> u64 {
    COUNTS.iter().find_map(|path| count(&std::fs::read_to_string(path).ok()?)).unwrap_or(0)
}

fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(LINE)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn both_versions_of_control_groups_are_read() {
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
        assert_eq!(count("low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n"), Some(1));
        assert_eq!(count("oom_kill_disable 0\n"), None);
    }
}
