//! A disk under the sandboxes that is really full, as somebody else's work may fill it.

use regatta_sandboxes::local::Fence;
use regatta_sandboxes::{Exit, Stdio};

use crate::mounted::Mounted;
use crate::place::{FEW_BLOCKS, FILL, Kind, Place, all, ended, sh};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_fails_what_writes_and_costs_neither_output_nor_end() {
    let Some(place) = Place::new(Kind::Here(Fence::None)).await else { return };
    let Some(disk) = Mounted::at(&place.root(), 16) else { return };
    let root = disk.path();
    let provider = place.again();
    provider.create(&place.spec("a")).await.unwrap();
    provider.start("a", &sh("main", &format!("echo begun; {FILL}; exit 1"))).await.unwrap();
    // Room for it was taken while there was some: nobody makes any on a disk that one sandbox alone fills.
    assert_eq!(ended(&*provider, "a", "main").await.exit, Exit::Code(1));
    assert!(rustix::fs::statvfs(root).unwrap().f_bavail < FEW_BLOCKS);
    assert_eq!(all(&*provider, "a", "main", Stdio::Out).await, b"begun\n");
    provider.destroy("a").await.unwrap();
}
