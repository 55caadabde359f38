//! The contract suite: every promise of a provider, for every fence that works here.

mod bounds;
mod crash;
mod identity;
mod life;
mod output;
mod sight;
mod workspace;

/// Makes one test for each fence from functions of a `Place`.
macro_rules! promises {
    ($($promise:ident)*) => {
        crate::contract::promises! { bubblewrap Bubblewrap: $($promise)* }
        crate::contract::promises! { landlock Landlock: $($promise)* }
        crate::contract::promises! { host None: $($promise)* }
    };
    (fenced: $($promise:ident)*) => {
        crate::contract::promises! { bubblewrap_only Bubblewrap: $($promise)* }
        crate::contract::promises! { landlock_only Landlock: $($promise)* }
    };
    ($name:ident $fence:ident: $($promise:ident)*) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let fence = regatta_sandboxes::local::Fence::$fence;
                    if let Some(place) = crate::place::Place::new(fence).await {
                        super::$promise(place).await;
                    }
                }
            )*
        }
    };
}

pub(crate) use promises;
