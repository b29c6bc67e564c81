from tests.store.test_lists import *
async def test_x(loaded: Loaded) -> None:
    import time
    t=time.time()
    page, buffers = await measured(loaded, CustomerQuery(loaded.tenant, 20, terms=frozenset({metadata("half","1"), "w:even"})))
    print("ANTI", buffers, len(page.customers), time.time()-t)
