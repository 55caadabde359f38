//! The one way in which a vendor's type becomes a provider: everything is [`super::Remote`]'s, written out so that nobody outside
//! has to know that, nor a vendor's client.

/// Makes a type whose field `remote` is a [`Remote`] a provider, so that nobody outside has to know a vendor's client. Whoever
/// calls it has the contract's names in scope.
macro_rules! provider {
    ($name:ident) => {
        #[async_trait]
        impl Provider for $name {
            fn name(&self) -> &'static str {
                self.remote.name()
            }
            fn capabilities(&self) -> &'static [Capability] {
                self.remote.capabilities()
            }
            async fn probe(&self) -> Result<String, Error> {
                self.remote.probe().await
            }
            async fn create(&self, spec: &Spec) -> Result<Created, Error> {
                self.remote.create(spec).await
            }
            async fn find(&self, key: &str) -> Result<Created, Error> {
                self.remote.find(key).await
            }
            async fn list(&self, owner: &str) -> Result<Vec<Found>, Error> {
                self.remote.list(owner).await
            }
            async fn start(&self, key: &str, exec: &Exec) -> Result<(), Error> {
                self.remote.start(key, exec).await
            }
            async fn status(&self, key: &str, exec: &str) -> Result<Status, Error> {
                self.remote.status(key, exec).await
            }
            async fn read(
                &self,
                key: &str,
                exec: &str,
                stdio: Stdio,
                offset: u64,
                bytes_max: usize,
            ) -> Result<Vec<u8>, Error> {
                self.remote.read(key, exec, stdio, offset, bytes_max).await
            }
            async fn kill(&self, key: &str, exec: &str, grace_ms: u64) -> Result<(), Error> {
                self.remote.kill(key, exec, grace_ms).await
            }
            async fn get(&self, key: &str, exec: &str, name: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
                self.remote.get(key, exec, name, bytes_max).await
            }
            async fn left_nothing(&self, key: &str, exec: &str) -> Result<bool, Error> {
                self.remote.left_nothing(key, exec).await
            }
            async fn untouched(&self, key: &str) -> Result<bool, Error> {
                self.remote.untouched(key).await
            }
            async fn destroy(&self, key: &str) -> Result<(), Error> {
                self.remote.destroy(key).await
            }
            async fn pause(&self, key: &str) -> Result<(), Error> {
                self.remote.pause(key).await
            }
            async fn resume(&self, key: &str) -> Result<(), Error> {
                self.remote.resume(key).await
            }
            async fn fork(&self, key: &str, into: &str) -> Result<Created, Error> {
                self.remote.fork(key, into).await
            }
            async fn changed(&self, key: &str, exec: &str) {
                self.remote.changed(key, exec).await;
            }
        }
    };
}
pub(crate) use provider;
