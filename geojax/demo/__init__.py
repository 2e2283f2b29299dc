"""The main job: two networks that were trained apart become one."""
