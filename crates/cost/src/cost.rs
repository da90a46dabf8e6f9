//! What something costs.

/// What one thing costs that is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Cost {
    /// Instructions of the router, without those of the kernel.
    pub(crate) instructions: f64,
    /// Calls that allocate, growth among them.
    pub(crate) allocations: f64,
    /// System calls. Those of the client and of the provider are among them, as many for every request.
    pub(crate) calls: f64,
}

impl Cost {
    /// The cost of one of `count`.
    #[must_use]
    pub(crate) fn each(self, count: f64) -> Self {
        let Self { instructions, allocations, calls } = self;
        Self { instructions: instructions / count, allocations: allocations / count, calls: calls / count }
    }
}
