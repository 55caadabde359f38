//! A disk under the sandboxes that is really full, as somebody else's work may fill it.

use regatta_sandboxes::local::Fence;
use regatta_sandboxes::{Exit, Stdio};

use crate::mounted::Mounted;
use crate::place::{Kind, Place, all, ended, sh, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_fails_what_writes_and_costs_neither_output_nor_end() {
    let Some(place) = Place::new(Kind::Here(Fence::None)).await else { return };
    let Some(disk) = Mounted::at(&place.root(), 16) else { return };
    let root = disk.path();
    let provider = place.again();
    provider.create(&place.spec("a")).await.unwrap();
    provider.start("a", &sh("main", "echo begun; exec head -c 100000000 /dev/zero > big")).await.unwrap();
    until("the disk is full", || rustix::fs::statvfs(root).unwrap().f_bavail == 0).await;
    assert_eq!(all(&*provider, "a", "main", Stdio::Out).await, b"begun\n");
    // Whether the end still found a place is the file system's business; with room it is told in any case.
    std::fs::remove_file(root.join("a/work/big")).unwrap();
    assert_eq!(ended(&*provider, "a", "main").await.exit, Exit::Code(1));
    provider.destroy("a").await.unwrap();
}
