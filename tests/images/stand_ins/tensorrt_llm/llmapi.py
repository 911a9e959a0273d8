class KvCacheConfig:
    def __init__(self, *, enable_block_reuse, free_gpu_memory_fraction):
        assert 0 < free_gpu_memory_fraction <= 1
        self.enable_block_reuse = enable_block_reuse
