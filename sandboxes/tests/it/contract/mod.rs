//! The contract suite: every promise of a provider, for every fence of this machine that works here, and for every other
//! provider.

mod bounds;
mod crash;
mod identity;
mod life;
mod output;
mod sight;
mod workspace;

/// Makes one test for each provider and fence from functions of a `Place`; `here:` only for those that keep sandboxes as
/// folders of this machine, `fenced:` only for those of them that have a fence, `near:` for whoever runs on this machine.
macro_rules! promises {
    (here: $($promise:ident)*) => {
        crate::contract::promises! { bubblewrap_here (Here(Bubblewrap)): $($promise)* }
        crate::contract::promises! { landlock_here (Here(Landlock)): $($promise)* }
        crate::contract::promises! { host_here (Here(None)): $($promise)* }
    };
    (fenced: $($promise:ident)*) => {
        crate::contract::promises! { bubblewrap_only (Here(Bubblewrap)): $($promise)* }
        crate::contract::promises! { landlock_only (Here(Landlock)): $($promise)* }
    };
    (near: $($promise:ident)*) => {
        crate::contract::promises! { bubblewrap (Here(Bubblewrap)): $($promise)* }
        crate::contract::promises! { landlock (Here(Landlock)): $($promise)* }
        crate::contract::promises! { host (Here(None)): $($promise)* }
        crate::contract::promises! { docker (Docker): $($promise)* }
    };
    ($($promise:ident)*) => {
        crate::contract::promises! { near: $($promise)* }
        crate::contract::promises! { e2b (E2b): $($promise)* }
        crate::contract::promises! { daytona (Daytona): $($promise)* }
    };
    ($name:ident ($kind:expr): $($promise:ident)*) => {
        mod $name {
            #[allow(unused_imports, clippy::allow_attributes, reason = "not every kind has a fence")]
            use {crate::place::Kind::*, regatta_sandboxes::local::Fence::*};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    if let Some(place) = crate::place::Place::new($kind).await {
                        super::$promise(place).await;
                    }
                }
            )*
        }
    };
}

pub(crate) use promises;
